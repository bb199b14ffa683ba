import { UsageError } from '../outcome';

/**
 * The base URL of a deployed app from what the user typed: with or without `/api` or a slash at its end.
 * @throws UsageError when it is no such URL, carries a secret, or would send the key in the clear
 */
export function parseEndpoint(text: string, hasKey: boolean): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new UsageError('--endpoint is not a URL, for example https://my-app.azurewebsites.net');
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new UsageError('--endpoint must begin with https:// (or http:// for an app on this machine).');
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new UsageError(
      '--endpoint must be a bare URL. Give the function key in KEYFERRY_KEY or with --key; it is sent as a header, since URLs end up in logs.',
    );
  }
  if (hasKey && url.protocol === 'http:' && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)) {
    throw new UsageError('The function key would be sent in the clear: use https:// in --endpoint.');
  }
  const path = url.pathname.replace(/\/+$/, '').replace(/\/api$/, '');
  return `${url.origin}${path}`;
}
