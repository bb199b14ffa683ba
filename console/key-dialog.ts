import { button, element } from './dom.ts';

/** The reader closed the dialog without giving a key. */
export class NoKeyError extends Error {
  override readonly name = 'NoKeyError';
}

/** Asks for the function key. @throws NoKeyError */
export function askForKey(refused: boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const input = element('input', {
      type: 'password',
      id: 'function-key',
      name: 'function-key',
      autocomplete: 'off',
      spellcheck: 'false',
      required: true,
      autofocus: true,
      'aria-describedby': 'key-hint',
    });
    const form = element(
      'form',
      {
        on: {
          submit: (event) => {
            event.preventDefault();
            const key = input.value.trim();
            if (key === '') return;
            dialog.remove();
            resolve(key);
          },
        },
      },
      element('h2', { id: 'key-title' }, 'Function key'),
      refused ? element('p', { class: 'bad', role: 'alert' }, 'That key was not accepted.') : null,
      element('label', { for: 'function-key' }, 'Key of this app'),
      input,
      element(
        'p',
        { class: 'hint', id: 'key-hint' },
        'In the portal: the function app, App keys. It is kept until this tab is closed and sent in a header, never in an address.',
      ),
      element(
        'div',
        { class: 'row end' },
        button('Not now', () => {
          dialog.close();
        }),
        element('button', { type: 'submit', class: 'primary' }, 'Use this key'),
      ),
    );
    const dialog = element('dialog', { 'aria-labelledby': 'key-title' }, form);
    dialog.addEventListener('close', () => {
      dialog.remove();
      reject(new NoKeyError('Without a key the app shows nothing.'));
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks whether to do something that cannot be undone; false when the reader leaves it. */
export function confirmed(title: string, text: string, yes: string, no: string): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = false;
    const dialog = element(
      'dialog',
      { 'aria-labelledby': 'confirm-title', 'aria-describedby': 'confirm-text', role: 'alertdialog' },
      element('h2', { id: 'confirm-title' }, title),
      element('p', { id: 'confirm-text' }, text),
      element(
        'div',
        { class: 'row end' },
        button(
          no,
          () => {
            dialog.close();
          },
          { autofocus: true },
        ),
        button(
          yes,
          () => {
            answer = true;
            dialog.close();
          },
          { class: 'danger' },
        ),
      ),
    );
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(answer);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
