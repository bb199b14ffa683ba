metadata description = 'App Service Authentication in front of the app: callers need a token of Entra ID besides the function key.'

@description('Name of the function app.')
param appName string

@description('Client id of the app registration that callers ask tokens for.')
@minLength(1)
param clientId string

@description('Tenant whose tokens are taken.')
param tenantId string

@description('Client ids of the applications that may call; empty for every application of the tenant that has a token.')
param allowedApplications string[]

@description('Object ids of the users and service principals that may call; empty for all.')
param allowedPrincipals string[]

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource settings 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: { enabled: true }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'Return401'
    }
    httpSettings: { requireHttps: true }
    login: {
      tokenStore: { enabled: false }
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: clientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenantId}/v2.0'
        }
        validation: {
          allowedAudiences: [clientId, 'api://${clientId}']
          defaultAuthorizationPolicy: {
            allowedApplications: empty(allowedApplications) ? null : allowedApplications
            allowedPrincipals: empty(allowedPrincipals) ? null : { identities: allowedPrincipals }
          }
        }
      }
    }
  }
}
