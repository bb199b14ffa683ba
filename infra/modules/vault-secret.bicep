metadata description = 'The connection string of one Redis, as a secret of the vault.'

@description('Name of the vault.')
param vaultName string

@description('Name of the secret.')
@minLength(1)
@maxLength(127)
param name string

@description('A redis:// or rediss:// URL, or the connection string that the Azure portal shows.')
@secure()
param connectionString string

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: vaultName
}

resource secret 'Microsoft.KeyVault/vaults/secrets@2025-05-01' = {
  parent: vault
  name: name
  properties: {
    contentType: 'Redis connection'
    value: connectionString
  }
}
