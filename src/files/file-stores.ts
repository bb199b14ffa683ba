import { ContainerStore } from './container-store';
import type { FileStore } from './file-store';
import { FolderStore } from './folder-store';
import { readStoreSettings } from './store-settings';

/** The process's file stores, by name. */
export class FileStores {
  private readonly stores = new Map<string, FileStore>();

  constructor(private readonly settings: Readonly<Record<string, string | undefined>>) {}

  /** @throws ConnectionSettingsError when the settings have no such name, or cannot be read */
  get(name: string): FileStore {
    let store = this.stores.get(name);
    if (store === undefined) {
      const settings = readStoreSettings(name, this.settings);
      store = settings.kind === 'folder' ? new FolderStore(name, settings.folder) : new ContainerStore(settings);
      this.stores.set(name, store);
    }
    return store;
  }
}
