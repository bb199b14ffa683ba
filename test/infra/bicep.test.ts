import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  bicep,
  bringBicep,
  id,
  infra,
  type PredictedResource,
  root,
  type Said,
  type Snapshot,
  snapshot,
} from './support/bicep-compiler';
import { readAppSettings } from '../../src/app/app-settings';
import { readStoreSettings } from '../../src/files/store-settings';
import { storageClients } from '../../src/ledger/storage-clients';
import { readConnectionSettings } from '../../src/redis/connection-settings';

const missing = bringBicep();
const templates = ['main.bicep', ...readdirSync(path.join(infra, 'modules')).map((name) => `modules/${name}`)];

const least = { environmentName: 'test', location: 'westeurope' };
const cacheId = `/subscriptions/${id(2)}/resourceGroups/rg-old/providers/Microsoft.Cache/Redis/old`;
const hubId = `/subscriptions/${id(2)}/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/hub`;

(missing === undefined ? describe : describe.skip)(
  `the templates${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let built: Said;
    beforeAll(() => {
      built = bicep('build', 'main.bicep', '--stdout');
    });

    test('compile and pass every rule of the linter without a word', () => {
      expect(built.stderr).toBe('');
      expect(built.code).toBe(0);
      expect(bicep('lint', '--pattern', '**/*.bicep')).toEqual({ code: 0, stdout: '', stderr: '' });
    });

    test('are formatted', () => {
      const folder = mkdtempSync(path.join(tmpdir(), 'keyferry-bicep-'));
      try {
        cpSync(infra, folder, { recursive: true });
        expect(bicep('format', '--pattern', `${folder}/**/*.bicep`)).toMatchObject({ code: 0, stderr: '' });
        for (const template of templates) {
          const formatted = readFileSync(path.join(folder, template), 'utf8');
          expect(formatted).toBe(readFileSync(path.join(infra, template), 'utf8'));
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    });

    describe('would not pass with', () => {
      const mistakes: [what: string, right: string, wrong: string, code: string][] = [
        ['an API version that is none', "storageAccounts@2025-08-01'", "storageAccounts@2025-08-02'", 'BCP081'],
        ['a property that is none', 'allowSharedKeyAccess', 'allowSharedKeyAcess', 'BCP089'],
        ['a value that is none', "'TLS1_2'", '12', 'BCP036'],
        [
          'a parameter that nothing uses',
          'param sku string',
          'param sku string\nparam other string',
          'no-unused-params',
        ],
      ];
      const right = readFileSync(path.join(infra, 'modules/storage.bicep'), 'utf8');
      let words: string[];

      // All in one call: the compiler takes most of its time to start.
      beforeAll(() => {
        const folder = mkdtempSync(path.join(tmpdir(), 'keyferry-bicep-'));
        try {
          cpSync(infra, folder, { recursive: true });
          mistakes.forEach(([, from, to], i) => {
            writeFileSync(path.join(folder, 'modules', `wrong-${i}.bicep`), right.replace(from, to));
          });
          words = bicep('lint', '--pattern', `${folder}/modules/*.bicep`).stderr.split('\n');
        } finally {
          rmSync(folder, { recursive: true });
        }
      });

      test.each(mistakes.map(([what, from, , code], i) => [what, from, code, i] as const))(
        '%s',
        (_what, from, code, i) => {
          expect(right).toContain(from);
          expect(words.filter((line) => line.includes(`wrong-${i}.bicep`)).join('\n')).toContain(code);
        },
      );

      test('nothing else', () => {
        expect(words.filter((line) => line !== '' && !line.includes('wrong-'))).toEqual([]);
      });
    });

    test('take every parameter of main.parameters.json, and azd fills in those that have no default', () => {
      const template = JSON.parse(built.stdout) as {
        parameters: Record<
          string,
          { defaultValue?: unknown; type?: string; $ref?: string; metadata?: { description?: string } }
        >;
      };
      const file = JSON.parse(readFileSync(path.join(infra, 'main.parameters.json'), 'utf8')) as {
        parameters: Record<string, { value: unknown }>;
      };
      for (const [name, { value }] of Object.entries(file.parameters)) {
        expect(template.parameters).toHaveProperty(name);
        // azd turns texts into numbers and truth values, but only its newest versions into lists.
        if (template.parameters[name]?.type === 'array') expect(value).toEqual([]);
      }
      for (const [name, { defaultValue, metadata }] of Object.entries(template.parameters)) {
        expect({ name, described: metadata?.description !== undefined }).toEqual({ name, described: true });
        if (defaultValue === undefined) expect(file.parameters).toHaveProperty(name);
      }
    });

    describe('with nothing but a name and a region', () => {
      let made: Snapshot;
      beforeAll(() => {
        made = snapshot('main.bicep', least);
      });

      test('make the app, its storage, its vault, its telemetry and its rights, and nothing else', () => {
        expect(made.diagnostics).toEqual([]);
        expect(counted(made)).toEqual({
          'Microsoft.Authorization/roleAssignments': 5,
          'Microsoft.Insights/components': 1,
          'Microsoft.Insights/scheduledQueryRules': 6,
          'Microsoft.Insights/workbooks': 1,
          'Microsoft.KeyVault/vaults': 1,
          'Microsoft.ManagedIdentity/userAssignedIdentities': 1,
          'Microsoft.OperationalInsights/workspaces': 1,
          'Microsoft.Resources/resourceGroups': 1,
          'Microsoft.Storage/storageAccounts': 1,
          'Microsoft.Storage/storageAccounts/blobServices': 1,
          'Microsoft.Storage/storageAccounts/blobServices/containers': 2,
          'Microsoft.Web/serverfarms': 1,
          'Microsoft.Web/sites': 1,
          'Microsoft.Web/sites/basicPublishingCredentialsPolicies': 2,
        });
      });

      test('raise alerts that show in the portal, for each migration by itself', () => {
        const rules = all(made, 'Microsoft.Insights/scheduledQueryRules');
        expect(rules.map(({ name }) => /^alert-(.*)-[^-]+$/.exec(name)?.[1]).sort()).toEqual([
          'failed',
          'findings',
          'live-gaps',
          'live-lag',
          'source-latency',
          'stalled',
        ]);
        for (const { properties } of rules) {
          const [condition] = (properties.criteria as { allOf: { query: string; metricMeasureColumn: string }[] })
            .allOf;
          expect(condition).toMatchObject({ operator: 'GreaterThan', dimensions: [{ name: 'Migration' }] });
          expect(condition?.query).toContain(`${condition?.metricMeasureColumn} = `);
          expect(properties).toMatchObject({ enabled: true, actions: { actionGroups: [] } });
        }
      });

      test('let nobody in by a key', () => {
        expect(one(made, 'Microsoft.Storage/storageAccounts').properties).toMatchObject({
          allowSharedKeyAccess: false,
          allowBlobPublicAccess: false,
          minimumTlsVersion: 'TLS1_2',
        });
        expect(one(made, 'Microsoft.Insights/components').properties).toMatchObject({ DisableLocalAuth: true });
        expect(one(made, 'Microsoft.KeyVault/vaults').properties).toMatchObject({ enableRbacAuthorization: true });
        for (const policy of all(made, 'Microsoft.Web/sites/basicPublishingCredentialsPolicies')) {
          expect(policy.properties).toEqual({ allow: false });
        }
      });

      test('give the identity the roles that the facts of the platform ask for', () => {
        const roles = all(made, 'Microsoft.Authorization/roleAssignments').map(({ properties }) =>
          String(properties.roleDefinitionId).split('/').at(-1),
        );
        expect(roles.sort()).toEqual([
          '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3', // Storage Table Data Contributor
          '3913510d-42f4-4e42-8a64-420c390055eb', // Monitoring Metrics Publisher
          '4633458b-17de-408a-b874-0445c86b69e6', // Key Vault Secrets User
          '974c5e8b-45b9-4653-ba55-5f855dd0fb88', // Storage Queue Data Contributor
          'b7e6dc6d-f1e8-4753-8033-0f276bb0955b', // Storage Blob Data Owner
        ]);
      });

      test('run on Flex Consumption, tagged as the service of azure.yaml', () => {
        expect(one(made, 'Microsoft.Web/serverfarms').sku).toMatchObject({ name: 'FC1', tier: 'FlexConsumption' });
        const app = one(made, 'Microsoft.Web/sites');
        expect(app.properties).toMatchObject({
          httpsOnly: true,
          functionAppConfig: {
            deployment: { storage: { type: 'blobContainer', authentication: { type: 'UserAssignedIdentity' } } },
            runtime: { name: 'node', version: '24' },
            scaleAndConcurrency: {
              instanceMemoryMB: 2048,
              maximumInstanceCount: 40,
              alwaysReady: [{ name: 'durable', instanceCount: 1 }],
            },
          },
        });
        const service = app.tags?.['azd-service-name'] ?? '';
        expect(readFileSync(path.join(root, 'azure.yaml'), 'utf8')).toMatch(new RegExp(`^  ${service}:$`, 'm'));
      });
    });

    describe('with everything', () => {
      let made: Snapshot;
      beforeAll(() => {
        made = snapshot('main.bicep', {
          ...least,
          principalId: id(1),
          nodeVersion: '22',
          copyAlwaysReady: 2,
          sourceConnectionString: 'rediss://:secret@old.example:6380',
          vaultConnections: ['SPARE'],
          managedRedisSku: 'Balanced_B5',
          managedRedisClusteringPolicy: 'OSSCluster',
          useVirtualNetwork: true,
          privateRedisCacheIds: [cacheId],
          peeredNetworkId: hubId,
          authClientId: id(3),
          alertMailAddress: 'operators@example.com',
        });
      });

      test('have storage, vault and Redis reached by private endpoints only', () => {
        for (const type of [
          'Microsoft.Storage/storageAccounts',
          'Microsoft.KeyVault/vaults',
          'Microsoft.Cache/redisEnterprise',
        ]) {
          expect(one(made, type).properties).toMatchObject({ publicNetworkAccess: 'Disabled' });
        }
        const groups = all(made, 'Microsoft.Network/privateEndpoints').flatMap(({ properties }) =>
          (properties.privateLinkServiceConnections as { name: string }[]).map(({ name }) => name),
        );
        expect(groups.sort()).toEqual(['blob', 'queue', 'redisCache', 'redisEnterprise', 'table', 'vault']);
        expect(all(made, 'Microsoft.Network/privateDnsZones')).toHaveLength(6);
        expect(all(made, 'Microsoft.Network/privateDnsZones/virtualNetworkLinks')).toHaveLength(6);
      });

      test('let the app reach the nodes of clusters, too', () => {
        const rules = all(made, 'Microsoft.Network/networkSecurityGroups').flatMap(
          ({ properties }) =>
            properties.securityRules as { properties: { access: string; destinationPortRanges?: string[] } }[],
        );
        const allowed = rules.filter(({ properties: { access } }) => access === 'Allow');
        expect(allowed.flatMap(({ properties }) => properties.destinationPortRanges ?? [])).toEqual(
          expect.arrayContaining(['6379-6380', '10000', '8500-8599', '13000-13999', '15000-15999']),
        );
      });

      test('run in a delegated subnet and peer in both directions', () => {
        expect(one(made, 'Microsoft.Network/virtualNetworks').properties.subnets).toMatchObject([
          {
            name: 'functions',
            properties: {
              addressPrefix: '10.71.0.0/26',
              delegations: [{ properties: { serviceName: 'Microsoft.App/environments' } }],
            },
          },
          { name: 'endpoints', properties: { addressPrefix: '10.71.0.64/26' } },
        ]);
        const peerings = all(made, 'Microsoft.Network/virtualNetworks/virtualNetworkPeerings').map(({ name }) => name);
        expect(peerings).toEqual([expect.stringMatching(/^vnet-.*\/to-hub$/), expect.stringMatching(/^hub\/to-vnet-/)]);
      });

      test('make an Azure Managed Redis that lets the identity in, and nobody by a key', () => {
        expect(one(made, 'Microsoft.Cache/redisEnterprise').sku).toEqual({ name: 'Balanced_B5' });
        expect(one(made, 'Microsoft.Cache/redisEnterprise/databases').properties).toMatchObject({
          port: 10000,
          clientProtocol: 'Encrypted',
          clusteringPolicy: 'OSSCluster',
          accessKeysAuthentication: 'Disabled',
        });
        const access = one(made, 'Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments');
        expect(access.name).toMatch(/\/default\/[A-Za-z0-9]{1,60}$/);
        expect(access.properties).toMatchObject({ accessPolicyName: 'default' });
      });

      test('send alerts by mail', () => {
        expect(one(made, 'Microsoft.Insights/actionGroups').properties).toMatchObject({
          emailReceivers: [{ emailAddress: 'operators@example.com' }],
        });
        for (const { properties } of all(made, 'Microsoft.Insights/scheduledQueryRules')) {
          expect((properties.actions as { actionGroups: string[] }).actionGroups).toHaveLength(1);
        }
      });

      test('ask for a token of Entra ID', () => {
        expect(one(made, 'Microsoft.Web/sites/config').properties).toMatchObject({
          globalValidation: { requireAuthentication: true, unauthenticatedClientAction: 'Return401' },
          identityProviders: { azureActiveDirectory: { enabled: true, registration: { clientId: id(3) } } },
        });
      });

      test('take the parameters of the app, and let whoever deploys put secrets into the vault', () => {
        expect(one(made, 'Microsoft.Web/sites').properties).toMatchObject({
          functionAppConfig: {
            runtime: { version: '22' },
            scaleAndConcurrency: {
              alwaysReady: [
                { name: 'durable', instanceCount: 1 },
                { name: 'function:copyRange', instanceCount: 2 },
              ],
            },
          },
        });
        expect(one(made, 'Microsoft.KeyVault/vaults/secrets').name).toMatch(/\/redis-old$/);
        const operators = all(made, 'Microsoft.Authorization/roleAssignments').filter(
          ({ properties }) => properties.principalId === id(1),
        );
        expect(operators).toHaveLength(1);
      });

      test('do not write a secret into what is kept of a deployment', () => {
        expect(JSON.stringify(made)).not.toContain('secret@old');
      });
    });

    describe('the settings', () => {
      let settings: Record<string, string>;
      beforeAll(() => {
        const { outputs } = snapshot('modules/app-settings.bicep', {
          clientId: id(7),
          backupContainerUrl: 'https://st123.blob.core.windows.net/backups',
          storageName: 'st123',
          storageSuffix: 'core.windows.net',
          insightsConnectionString: 'InstrumentationKey=1',
          vaultUri: 'https://kv-1.vault.azure.net/',
          vaultConnections: ['OLD', 'SPARE_ONE'],
          identityConnections: [
            { name: 'CACHE', hostName: 'my.redis.cache.windows.net' },
            { name: 'MANAGED', hostName: 'my.westeurope.redis.azure.net', port: 10000 },
          ],
          scale: {
            instanceMemoryMB: 2048,
            maximumInstanceCount: 40,
            durableAlwaysReady: 1,
            copyAlwaysReady: 0,
            queueBatchSize: 4,
            queueNewBatchThreshold: 2,
          },
          tuning: {
            rangeSeconds: 120,
            checkpointSeconds: 2,
            silenceSeconds: 90,
            stallSeconds: 600,
            pageMilliseconds: 4,
            bigKeyMib: 5,
            memoryMib: 6,
            findingKeys: 'hash',
          },
          nodeArguments: '--max-semi-space-size=8',
        });
        settings = outputs?.settings as Record<string, string>;
      });

      test('are understood by the app: connections by identity', () => {
        expect(readConnectionSettings('CACHE', settings)).toEqual({
          name: 'CACHE',
          host: 'my.redis.cache.windows.net',
          port: 6380,
          tls: true,
          entra: { clientId: id(7) },
        });
        expect(readConnectionSettings('MANAGED', settings)).toMatchObject({ port: 10000, entra: { clientId: id(7) } });
      });

      test('are understood by the app: storage', () => {
        const clients = storageClients(settings);
        expect(clients.queues.url).toBe('https://st123.queue.core.windows.net');
        expect(clients.tables.url).toBe('https://st123.table.core.windows.net');
        expect(settings).toMatchObject({
          AzureWebJobsStorage__blobServiceUri: 'https://st123.blob.core.windows.net',
          AzureWebJobsStorage__credential: 'managedidentity',
          AzureWebJobsStorage__clientId: id(7),
        });
        expect(settings).not.toHaveProperty('AzureWebJobsStorage');
      });

      test('are understood by the app: the container for backups', () => {
        expect(readStoreSettings('BACKUPS', settings)).toEqual({
          kind: 'container',
          name: 'BACKUPS',
          url: 'https://st123.blob.core.windows.net/backups',
          clientId: id(7),
        });
      });

      test('are understood by the app: its own', () => {
        expect(readAppSettings(settings)).toEqual({
          rangeSeconds: 120,
          checkpointSeconds: 2,
          silenceSeconds: 90,
          stallSeconds: 600,
          pageMicros: 4_000,
          bigKeyBytes: 5 * 1_048_576,
          bytesInFlight: 6 * 1_048_576,
          findingKeys: 'hash',
        });
      });

      test('have secrets as references to the vault', () => {
        expect(settings.REDIS_OLD).toBe(
          '@Microsoft.KeyVault(SecretUri=https://kv-1.vault.azure.net/secrets/redis-old)',
        );
        expect(settings.REDIS_SPARE_ONE).toMatch(/\/secrets\/redis-spare-one\)$/);
      });

      test('have every setting of the sample, and override what host.json has', () => {
        const sample = JSON.parse(readFileSync(path.join(root, 'local.settings.sample.json'), 'utf8')) as {
          Values: Record<string, string>;
        };
        const own = (names: string[]) => names.filter((name) => name.startsWith('KEYFERRY_')).sort();
        expect(own(Object.keys(settings))).toEqual(own(Object.keys(sample.Values)));
        const host = JSON.parse(readFileSync(path.join(root, 'host.json'), 'utf8')) as unknown;
        for (const name of Object.keys(settings).filter((setting) => setting.startsWith('AzureFunctionsJobHost__'))) {
          expect(host).toHaveProperty(name.split('__').slice(1));
        }
      });

      test('sign in for telemetry as the identity, and leave the runtime to functionAppConfig', () => {
        expect(settings.APPLICATIONINSIGHTS_AUTHENTICATION_STRING).toBe(`ClientId=${id(7)};Authorization=AAD`);
        expect(settings).not.toHaveProperty('FUNCTIONS_WORKER_RUNTIME');
        expect(settings).not.toHaveProperty('FUNCTIONS_EXTENSION_VERSION');
      });
    });
  },
);

function all(made: Snapshot, type: string): PredictedResource[] {
  return made.predictedResources.filter((resource) => resource.type === type);
}

function one(made: Snapshot, type: string): PredictedResource {
  const [first, ...others] = all(made, type);
  expect(others).toEqual([]);
  return first!;
}

function counted(made: Snapshot): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { type } of made.predictedResources) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}
