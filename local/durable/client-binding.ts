/** Where the durable client finds this host. */
export interface DurableEndpoints {
  /** http://127.0.0.1:port, without a slash at its end. */
  baseUrl: string;
  hubName: string;
}

const code = 'code=local';

const webhooks = (baseUrl: string): string => `${baseUrl}/runtime/webhooks/durabletask`;

/** The management URLs of one instance, or of the placeholder INSTANCEID. */
function managementUrls({ baseUrl, hubName }: DurableEndpoints, id: string): Record<string, string> {
  const query = `taskHub=${hubName}&connection=Storage&${code}`;
  const instance = `${webhooks(baseUrl)}/instances/${id}`;
  return {
    id,
    statusQueryGetUri: `${instance}?${query}`,
    sendEventPostUri: `${instance}/raiseEvent/{eventName}?${query}`,
    terminatePostUri: `${instance}/terminate?reason={text}&${query}`,
    rewindPostUri: `${instance}/rewind?reason={text}&${query}`,
    purgeHistoryDeleteUri: `${instance}?${query}`,
    restartPostUri: `${instance}/restart?${query}`,
    suspendPostUri: `${instance}/suspend?reason={text}&${query}`,
    resumePostUri: `${instance}/resume?reason={text}&${query}`,
  };
}

/** The input of a durableClient binding: JSON with the URLs by which the client library manages instances. */
export function durableClientInput(endpoints: DurableEndpoints): string {
  const orchestrators = `${webhooks(endpoints.baseUrl)}/orchestrators/{functionName}[/{instanceId}]`;
  return JSON.stringify({
    taskHubName: endpoints.hubName,
    connectionName: null,
    creationUrls: {
      createNewInstancePostUri: `${orchestrators}?${code}`,
      createAndWaitOnNewInstancePostUri: `${orchestrators}?timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}&${code}`,
    },
    managementUrls: managementUrls(endpoints, 'INSTANCEID'),
    baseUrl: webhooks(endpoints.baseUrl),
    requiredQueryStringParameters: code,
    rpcBaseUrl: `${endpoints.baseUrl}/durabletask/`,
  });
}

/** The answer to a started instance, with its URLs; as recorded, without the one to rewind. */
export function creationPayload(endpoints: DurableEndpoints, id: string): Record<string, string> {
  const { rewindPostUri: _, ...urls } = managementUrls(endpoints, id);
  return urls;
}
