metadata description = 'Turns parameters into the settings that the app and its host read. Makes no resource.'

import { identityConnection, scaleOptions, texts, tuningOptions } from 'types.bicep'

@description('Client id of the app\'s identity.')
param clientId string

@description('Name of the storage account, which the host, Durable Functions and the app sign in to by identity.')
param storageName string

@description('URL of the container for backups.')
param backupContainerUrl string

@description('What names of storage services end in, for example core.windows.net.')
param storageSuffix string

@description('Where telemetry goes.')
param insightsConnectionString string

@description('URL of the vault with a slash at its end.')
param vaultUri string

@description('Connections whose connection strings are secrets of the vault.')
param vaultConnections string[]

@description('Connections by identity.')
param identityConnections identityConnection[]

@description('How many messages an instance works on.')
param scale scaleOptions

@description('The app\'s own settings; those that are not given are left to the app.')
param tuning tuningOptions

@description('Arguments of Node.js; empty for none.')
param nodeArguments string

@description('Name of the secret of the vault that holds a connection.')
@export()
func secretNameOf(connection string) string => 'redis-${replace(toLower(connection), '_', '-')}'

var storageSettings = {
  AzureWebJobsStorage__accountName: storageName
  AzureWebJobsStorage__blobServiceUri: 'https://${storageName}.blob.${storageSuffix}'
  AzureWebJobsStorage__queueServiceUri: 'https://${storageName}.queue.${storageSuffix}'
  AzureWebJobsStorage__tableServiceUri: 'https://${storageName}.table.${storageSuffix}'
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: clientId
}

var backupSettings = {
  RDB_BACKUPS: backupContainerUrl
  RDB_BACKUPS__clientId: clientId
}

var telemetrySettings = {
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${clientId};Authorization=AAD'
}

var vaultSettings = toObject(
  vaultConnections,
  connection => 'REDIS_${connection}',
  connection => '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/${secretNameOf(connection)})'
)

var hostNameSettings = toObject(
  identityConnections,
  connection => 'REDIS_${connection.name}__hostName',
  connection => connection.hostName
)
var clientIdSettings = toObject(
  identityConnections,
  connection => 'REDIS_${connection.name}__clientId',
  connection => clientId
)
var portSettings = toObject(
  filter(identityConnections, connection => connection.?port != null),
  connection => 'REDIS_${connection.name}__port',
  connection => string(connection.?port)
)

// What overrides host.json.
var hostSettings = {
  AzureFunctionsJobHost__extensions__queues__batchSize: string(scale.queueBatchSize)
  AzureFunctionsJobHost__extensions__queues__newBatchThreshold: string(scale.queueNewBatchThreshold)
}

// What large values took goes back to the system at once, not into the heap of glibc (mallopt(3)).
var memorySettings = { MALLOC_MMAP_THRESHOLD_: '262144' }

var tuningSettings = union(
  tuning.?rangeSeconds == null ? {} : { KEYFERRY_RANGE_SECONDS: string(tuning.?rangeSeconds) },
  tuning.?checkpointSeconds == null ? {} : { KEYFERRY_CHECKPOINT_SECONDS: string(tuning.?checkpointSeconds) },
  tuning.?silenceSeconds == null ? {} : { KEYFERRY_SILENCE_SECONDS: string(tuning.?silenceSeconds) },
  tuning.?stallSeconds == null ? {} : { KEYFERRY_STALL_SECONDS: string(tuning.?stallSeconds) },
  tuning.?pageMilliseconds == null ? {} : { KEYFERRY_PAGE_MILLISECONDS: string(tuning.?pageMilliseconds) },
  tuning.?bigKeyMib == null ? {} : { KEYFERRY_BIG_KEY_MIB: string(tuning.?bigKeyMib) },
  tuning.?memoryMib == null ? {} : { KEYFERRY_MEMORY_MIB: string(tuning.?memoryMib) },
  tuning.?findingKeys == null ? {} : { KEYFERRY_FINDING_KEYS: tuning.?findingKeys! }
)

@description('All settings by name.')
output settings texts = union(
  storageSettings,
  backupSettings,
  telemetrySettings,
  vaultSettings,
  hostNameSettings,
  clientIdSettings,
  portSettings,
  hostSettings,
  memorySettings,
  tuningSettings,
  empty(nodeArguments) ? {} : { languageWorkers__node__arguments: nodeArguments }
)
