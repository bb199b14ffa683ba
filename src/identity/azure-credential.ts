import type { TokenCredential } from '@azure/identity';

/**
 * The app's Azure identity: managed identity in Azure, the developer's own sign-in elsewhere. The library is loaded when
 * the first token is asked for, since most local runs ask for none.
 *
 * @param clientId of a user-assigned identity; undefined for the system-assigned one
 */
export function lazyAzureCredential(clientId: string | undefined): TokenCredential {
  let credential: Promise<TokenCredential> | undefined;
  return {
    getToken: async (scopes, options) => {
      credential ??= import('@azure/identity').then(
        ({ DefaultAzureCredential }) =>
          new DefaultAzureCredential(clientId === undefined ? {} : { managedIdentityClientId: clientId }),
      );
      return await (await credential).getToken(scopes, options);
    },
  };
}
