metadata description = 'The function app on its Flex Consumption plan.'

import { scaleOptions, texts } from 'types.bicep'

@description('Name of the app.')
param name string

@description('Name of the plan.')
param planName string

@description('Region.')
param location string

@description('Tags.')
param tags texts

@description('Name of the service in azure.yaml that is deployed here.')
param serviceName string

@description('Major version of Node.js.')
@allowed(['22', '24'])
param nodeVersion string

@description('Resource id of the app\'s identity.')
param identityId string

@description('URL of the container that holds the deployed package.')
param packageContainerUrl string

@description('Instances and how much each does.')
param scale scaleOptions

@description('Whether instances are spread over availability zones.')
param zoneRedundant bool

@description('Resource id of the subnet that the instances run in; empty for none.')
param subnetId string

@description('All app settings by name.')
param settings texts

var alwaysReady = filter(
  [
    { name: 'durable', instanceCount: scale.durableAlwaysReady }
    { name: 'function:copyRange', instanceCount: scale.copyAlwaysReady }
  ],
  group => group.instanceCount > 0
)

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': serviceName })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    keyVaultReferenceIdentity: identityId
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUrl
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'node'
        version: nodeVersion
      }
      scaleAndConcurrency: {
        instanceMemoryMB: scale.instanceMemoryMB
        maximumInstanceCount: scale.maximumInstanceCount
        alwaysReady: alwaysReady
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      appSettings: map(items(settings), setting => { name: setting.key, value: setting.value })
    }
  }

  // No user names and passwords for deployments: azd and pipelines sign in with Entra ID.
  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

@description('Name of the app.')
output name string = app.name

@description('Where the app answers.')
output url string = 'https://${app.properties.defaultHostName}'
