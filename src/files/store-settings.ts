import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConnectionSettingsError } from '../redis/connection-settings';

type Settings = Readonly<Record<string, string | undefined>>;

/** Where the files of a name are, read from the app's settings. Never leaves the process. */
export type StoreSettings =
  | { readonly kind: 'folder'; readonly name: string; readonly folder: string }
  | { readonly kind: 'container'; readonly name: string; readonly url: string; readonly clientId: string | undefined }
  | {
      readonly kind: 'account';
      readonly name: string;
      readonly connectionString: string;
      readonly container: string;
    };

const CONTAINER = /^(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*$/;

/**
 * Reads the file store `name`: `RDB_<NAME>` with the URL of a blob container (used by the app's identity, `RDB_<NAME>__clientId`
 * chooses a user-assigned one), with a storage account's connection string and `container=…` in it, or with file:///folder.
 * @throws ConnectionSettingsError when there is none, or it cannot be read; its message has no secret
 */
export function readStoreSettings(name: string, settings: Settings): StoreSettings {
  const setting = `RDB_${name}`;
  const text = (settings[setting] ?? settings[setting.toUpperCase()])?.trim();
  const wrong = (message: string) => new ConnectionSettingsError(name, `${setting} ${message}`);
  if (!text) {
    throw new ConnectionSettingsError(
      name,
      `There is no file store "${name}": set ${setting} to the URL of a blob container, to a storage account's connection string with container=… in it, or to file:///folder.`,
    );
  }
  if (/^file:/i.test(text)) return { kind: 'folder', name, folder: folderOf(text, settings, wrong) };
  if (/^https?:\/\//i.test(text)) {
    const url = containerUrl(text, wrong);
    return { kind: 'container', name, url, clientId: settings[`${setting}__clientId`] };
  }
  const parts = text.split(';').filter((part) => part.trim() !== '');
  const isContainer = (part: string) => /^\s*container\s*=/i.test(part);
  const container = parts.find(isContainer)?.split('=')[1]?.trim() ?? '';
  const connectionString = parts.filter((part) => !isContainer(part)).join(';');
  const isDevelopment = /^\s*UseDevelopmentStorage\s*=\s*true\s*$/i.test(connectionString);
  if (!isDevelopment && !/Account(Name|Key)\s*=|BlobEndpoint\s*=|SharedAccessSignature\s*=/i.test(connectionString)) {
    throw wrong(
      'is neither the URL of a blob container, nor a connection string of a storage account, nor file:///folder.',
    );
  }
  if (!CONTAINER.test(container)) throw wrong('must name its container: add ;container=backups');
  return { kind: 'account', name, connectionString, container };
}

function folderOf(text: string, settings: Settings, wrong: (message: string) => Error): string {
  // The disk of an instance in Azure is gone with it.
  if (settings.WEBSITE_INSTANCE_ID !== undefined) {
    throw wrong('names a folder, which only the local app can use: give it a blob container.');
  }
  try {
    return path.resolve(fileURLToPath(text));
  } catch {
    throw wrong('is no URL of a folder on this machine: file:///folder, with three slashes.');
  }
}

function containerUrl(text: string, wrong: (message: string) => Error): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong('is no URL.');
  }
  if (url.pathname.split('/').filter((part) => part !== '').length === 0) {
    throw wrong('must be the URL of a container: https://account.blob.core.windows.net/backups');
  }
  return url.href;
}
