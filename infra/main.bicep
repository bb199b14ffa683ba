targetScope = 'subscription'

metadata description = 'Keyferry on Azure Functions (Flex Consumption), for azd up.'

import { identityConnection, scaleOptions, tuningOptions } from 'modules/types.bicep'
import { secretNameOf } from 'modules/app-settings.bicep'

// ---- where and what

@description('Name of the environment; azd gives it.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Region of everything; it must offer Flex Consumption.')
@minLength(1)
@metadata({ azd: { type: 'location' } })
param location string

@description('Resource group; by default one is made and named after the environment.')
@maxLength(90)
param resourceGroupName string = 'rg-${environmentName}'

@description('Object id of whoever deploys; it may put secrets into the vault. Empty for nobody.')
param principalId string = ''

@description('What principalId is.')
@allowed(['User', 'Group', 'ServicePrincipal'])
param principalType string = 'User'

// ---- alerts

@description('Mail address that alerts are sent to. Empty for nobody: they then show in the portal only.')
param alertMailAddress string = ''

@description('Average milliseconds of a page on the source above which an alert is raised.')
@minValue(1)
param alertSourceLatencyMs int = 50

@description('Mode live: seconds that the oldest change may have waited before an alert is raised.')
@minValue(1)
param alertLiveLagSeconds int = 60

// ---- the app

@description('Major version of Node.js.')
@allowed(['22', '24'])
param nodeVersion string = '24'

@description('Arguments of Node.js. A small young generation suits the short-lived pages; empty starts instances a little faster.')
param nodeArguments string = '--max-semi-space-size=16'

@description('Memory of one instance in MB.')
@allowed([512, 2048, 4096])
param instanceMemoryMB int = 2048

@description('The most instances that may run. Azure takes no less than 40; the app itself bounds the load on Redis.')
@minValue(40)
@maxValue(1000)
param maximumInstanceCount int = 40

@description('Instances that always wait for the durable tally; 0 for none.')
@minValue(0)
@maxValue(20)
param durableAlwaysReady int = 1

@description('Instances that always wait for ranges to copy; 0 for none.')
@minValue(0)
@maxValue(20)
param copyAlwaysReady int = 0

@description('Ranges that one instance fetches at once.')
@minValue(1)
@maxValue(32)
param queueBatchSize int = 8

@description('An instance fetches again when no more than this many ranges are being worked on.')
@minValue(0)
@maxValue(64)
param queueNewBatchThreshold int = 8

@description('Whether instances are spread over availability zones, where the region has them.')
param zoneRedundant bool = false

@description('The app\'s own settings; what is left out has its default in the app.')
param appTuning tuningOptions = {}

// ---- connections to Redis

@description('Name of the connection that sourceConnectionString belongs to.')
@minLength(1)
@maxLength(64)
param sourceConnection string = 'OLD'

@description('Connection string of the source, kept in the vault; empty where it is already there, or the source is signed in to by identity.')
@secure()
param sourceConnectionString string = ''

@description('Name of the connection that targetConnectionString belongs to.')
@minLength(1)
@maxLength(64)
param targetConnection string = 'NEW'

@description('Connection string of the target, kept in the vault; empty where it is already there, or the target is signed in to by identity.')
@secure()
param targetConnectionString string = ''

@description('Further connections by name, whose connection strings are put into the vault by hand, as secrets redis-<name> (in lower case, _ as -).')
param vaultConnections string[] = []

@description('Connections that are signed in to with Entra ID. The identity needs an access policy on each of these caches.')
param identityConnections identityConnection[] = []

// ---- Azure Managed Redis

@description('Size of an Azure Managed Redis to make as the target; empty for none.')
@allowed([
  ''
  'Balanced_B0'
  'Balanced_B1'
  'Balanced_B3'
  'Balanced_B5'
  'Balanced_B10'
  'Balanced_B20'
  'Balanced_B50'
  'Balanced_B100'
  'Balanced_B150'
  'Balanced_B250'
  'MemoryOptimized_M10'
  'MemoryOptimized_M20'
  'MemoryOptimized_M50'
  'MemoryOptimized_M100'
  'MemoryOptimized_M150'
  'MemoryOptimized_M250'
  'ComputeOptimized_X3'
  'ComputeOptimized_X5'
  'ComputeOptimized_X10'
  'ComputeOptimized_X20'
  'ComputeOptimized_X50'
  'ComputeOptimized_X100'
  'ComputeOptimized_X150'
  'ComputeOptimized_X250'
])
param managedRedisSku string = ''

@description('Name of the connection to the Azure Managed Redis that is made.')
@minLength(1)
@maxLength(64)
param managedRedisConnection string = 'MANAGED'

@description('How the Azure Managed Redis spreads its keys: NoCluster up to 25 GB, EnterpriseCluster above, behind one address; OSSCluster for clients that speak to each node (ports 8500 to 8599).')
@allowed(['EnterpriseCluster', 'NoCluster', 'OSSCluster'])
param managedRedisClusteringPolicy string = 'EnterpriseCluster'

@description('What goes when the memory of the Azure Managed Redis is full. With NoEviction a copy that does not fit fails instead of losing keys.')
@allowed([
  'NoEviction'
  'VolatileLRU'
  'VolatileLFU'
  'VolatileTTL'
  'VolatileRandom'
  'AllKeysLRU'
  'AllKeysLFU'
  'AllKeysRandom'
])
param managedRedisEvictionPolicy string = 'NoEviction'

@description('Whether the Azure Managed Redis has a replica.')
param managedRedisHighAvailability bool = true

// ---- network

@description('Whether the app runs in a virtual network, and storage, vault and Redis are reached by private endpoints only.')
param useVirtualNetwork bool = false

@description('Addresses of the virtual network: a /24 or larger that overlaps with no network it is peered with.')
param virtualNetworkAddressPrefix string = '10.71.0.0/24'

@description('Whether calls to the internet (telemetry, public Redis servers) leave the network through a NAT gateway, from one fixed address.')
param natGateway bool = true

@description('Resource ids of existing Azure Cache for Redis instances that get a private endpoint in the network.')
param privateRedisCacheIds string[] = []

@description('Resource ids of existing Azure Managed Redis instances that get a private endpoint in the network.')
param privateManagedRedisIds string[] = []

@description('Resource id of a virtual network to peer with, for a Redis that lives inside it; empty for none.')
param peeredNetworkId string = ''

// ---- sign-in in front of the app

@description('Client id of an app registration: callers need its token besides the function key. Empty for the function key alone.')
param authClientId string = ''

@description('Tenant whose tokens are taken.')
param authTenantId string = tenant().tenantId

@description('Client ids of the applications that may call; empty for every one that has a token.')
param authAllowedApplications string[] = []

@description('Object ids of the users and service principals that may call; empty for all.')
param authAllowedPrincipals string[] = []

// ---- keeping

@description('Redundancy of the storage account.')
@allowed(['Standard_LRS', 'Standard_ZRS', 'Standard_GRS', 'Standard_GZRS'])
param storageSku string = 'Standard_LRS'

@description('Days that logs are kept.')
@minValue(30)
@maxValue(730)
param logRetentionInDays int = 30

@description('Days after which backups are deleted; 0: never.')
@minValue(0)
param backupRetentionInDays int = 0

@description('Whether a deleted vault must stay recoverable for its whole retention. It cannot be taken back.')
param vaultPurgeProtection bool = false

var token = toLower(uniqueString(subscription().id, environmentName, location))
var identityName = 'id-${token}'
var insightsName = 'appi-${token}'
var storageName = 'st${token}'
var vaultName = 'kv-${token}'
var managedRedisName = 'amr-${token}'
var networkName = 'vnet-${token}'
var appName = 'func-${token}'
var tags = { 'azd-env-name': environmentName }
var useManagedRedis = !empty(managedRedisSku)
var peer = useVirtualNetwork && !empty(peeredNetworkId)

var allVaultConnections = union(
  vaultConnections,
  empty(sourceConnectionString) ? [] : [sourceConnection],
  empty(targetConnectionString) ? [] : [targetConnection]
)

var appScale scaleOptions = {
  instanceMemoryMB: instanceMemoryMB
  maximumInstanceCount: maximumInstanceCount
  durableAlwaysReady: durableAlwaysReady
  copyAlwaysReady: copyAlwaysReady
  queueBatchSize: queueBatchSize
  queueNewBatchThreshold: queueNewBatchThreshold
}

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: resourceGroupName
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  params: {
    name: identityName
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: {
    name: insightsName
    workspaceName: 'log-${token}'
    location: location
    tags: tags
    retentionInDays: logRetentionInDays
  }
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: {
    insightsName: insightsName
    token: token
    location: location
    tags: tags
    mailAddress: alertMailAddress
    sourceLatencyMs: alertSourceLatencyMs
    liveLagSeconds: alertLiveLagSeconds
  }
  dependsOn: [monitoring]
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: {
    name: storageName
    location: location
    tags: tags
    sku: storageSku
    packageContainerName: 'package'
    backupContainerName: 'backups'
    backupRetentionInDays: backupRetentionInDays
    allowPublicNetwork: !useVirtualNetwork
  }
}

module vault 'modules/key-vault.bicep' = {
  scope: group
  params: {
    name: vaultName
    location: location
    tags: tags
    allowPublicNetwork: !useVirtualNetwork
    purgeProtection: vaultPurgeProtection
  }
}

module sourceSecret 'modules/vault-secret.bicep' = if (!empty(sourceConnectionString)) {
  scope: group
  params: {
    vaultName: vaultName
    name: secretNameOf(sourceConnection)
    connectionString: sourceConnectionString
  }
  dependsOn: [vault]
}

module targetSecret 'modules/vault-secret.bicep' = if (!empty(targetConnectionString)) {
  scope: group
  params: {
    vaultName: vaultName
    name: secretNameOf(targetConnection)
    connectionString: targetConnectionString
  }
  dependsOn: [vault]
}

module roles 'modules/roles.bicep' = {
  scope: group
  params: {
    identityName: identityName
    storageName: storageName
    insightsName: insightsName
    vaultName: vaultName
    operatorId: principalId
    operatorType: principalType
  }
  dependsOn: [identity, storage, monitoring, vault]
}

module managedRedis 'modules/managed-redis.bicep' = if (useManagedRedis) {
  scope: group
  params: {
    name: managedRedisName
    location: location
    tags: tags
    sku: managedRedisSku
    clusteringPolicy: managedRedisClusteringPolicy
    evictionPolicy: managedRedisEvictionPolicy
    highAvailability: managedRedisHighAvailability
    allowPublicNetwork: !useVirtualNetwork
    identityName: identityName
  }
  dependsOn: [identity]
}

module network 'modules/network.bicep' = if (useVirtualNetwork) {
  scope: group
  params: {
    name: networkName
    location: location
    tags: tags
    addressPrefix: virtualNetworkAddressPrefix
    natGateway: natGateway
  }
}

module privateAccess 'modules/private-access.bicep' = if (useVirtualNetwork) {
  scope: group
  params: {
    namePrefix: 'pep-${token}'
    location: location
    tags: tags
    networkName: networkName
    subnetId: network!.outputs.endpointsSubnetId
    storageId: storage.outputs.id
    vaultId: vault.outputs.id
    redisCacheIds: privateRedisCacheIds
    managedRedisIds: privateManagedRedisIds
    ownManagedRedisName: useManagedRedis ? managedRedisName : ''
  }
  dependsOn: [managedRedis]
}

module peeringOut 'modules/network-peering.bicep' = if (peer) {
  scope: group
  params: {
    name: 'to-${last(split(peeredNetworkId, '/'))}'
    networkName: networkName
    remoteNetworkId: peeredNetworkId
  }
  dependsOn: [network]
}

module peeringBack 'modules/network-peering.bicep' = if (peer) {
  scope: resourceGroup(
    peer ? split(peeredNetworkId, '/')[2] : subscription().subscriptionId,
    peer ? split(peeredNetworkId, '/')[4] : resourceGroupName
  )
  params: {
    name: 'to-${networkName}'
    networkName: last(split(peeredNetworkId, '/'))
    remoteNetworkId: network!.outputs.id
  }
}

module settings 'modules/app-settings.bicep' = {
  scope: group
  params: {
    clientId: identity.outputs.clientId
    backupContainerUrl: storage.outputs.backupContainerUrl
    storageName: storageName
    storageSuffix: environment().suffixes.storage
    insightsConnectionString: monitoring.outputs.connectionString
    vaultUri: vault.outputs.uri
    vaultConnections: allVaultConnections
    identityConnections: concat(
      identityConnections,
      useManagedRedis
        ? [
            {
              name: managedRedisConnection
              hostName: managedRedis!.outputs.hostName
              port: managedRedis!.outputs.port
            }
          ]
        : []
    )
    scale: appScale
    tuning: appTuning
    nodeArguments: nodeArguments
  }
}

module app 'modules/function-app.bicep' = {
  scope: group
  params: {
    name: appName
    planName: 'plan-${token}'
    location: location
    tags: tags
    serviceName: 'api'
    nodeVersion: nodeVersion
    identityId: identity.outputs.id
    packageContainerUrl: storage.outputs.packageContainerUrl
    scale: appScale
    zoneRedundant: zoneRedundant
    subnetId: useVirtualNetwork ? network!.outputs.functionsSubnetId : ''
    settings: settings.outputs.settings
  }
  // The app must find its rights and its ways when it starts for the first time.
  dependsOn: [roles, privateAccess, sourceSecret, targetSecret]
}

module authentication 'modules/authentication.bicep' = if (!empty(authClientId)) {
  scope: group
  params: {
    appName: appName
    clientId: authClientId
    tenantId: authTenantId
    allowedApplications: authAllowedApplications
    allowedPrincipals: authAllowedPrincipals
  }
  dependsOn: [app]
}

@description('Region.')
output AZURE_LOCATION string = location

@description('Tenant.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Resource group.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app.')
output SERVICE_API_NAME string = app.outputs.name

@description('Where the app answers: $SERVICE_API_URI/api/migrations.')
output SERVICE_API_URI string = app.outputs.url

@description('Name of the vault that connection strings are put into.')
output AZURE_KEY_VAULT_NAME string = vault.outputs.name

@description('Client id of the app\'s identity.')
output KEYFERRY_IDENTITY_CLIENT_ID string = identity.outputs.clientId

@description('Object id of the app\'s identity, for access policies on existing caches.')
output KEYFERRY_IDENTITY_PRINCIPAL_ID string = identity.outputs.principalId

@description('Host name of the Azure Managed Redis that was made; empty without one.')
output MANAGED_REDIS_HOST_NAME string = useManagedRedis ? managedRedis!.outputs.hostName : ''

@description('The address that calls to the internet come from, for firewalls; empty without a NAT gateway.')
output OUTBOUND_ADDRESS string = useVirtualNetwork ? network!.outputs.outboundAddress : ''
