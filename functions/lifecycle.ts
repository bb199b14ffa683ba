import { app } from '@azure/functions';
import { closeApp } from '../src/app/app';

app.hook.appTerminate(() => {
  closeApp();
});
