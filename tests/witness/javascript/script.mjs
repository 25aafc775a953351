// Reads and writes of Microsoft's JavaScript SDKs against a sandbox: `node script.mjs '{"kusto": URL, "arm": URL, …}'`.
// First what changes something, then what is asked; answers go to standard output as one JSON object, each as plain
// values. The same questions are asked by the Python SDKs in test_javascript.py.

import { AuthorizationManagementClient } from "@azure/arm-authorization";
import { KustoManagementClient } from "@azure/arm-kusto";
import { Client, ClientRequestProperties, KustoConnectionStringBuilder } from "azure-kusto-data";

process.on("uncaughtException", (problem) => {
  console.error(problem.response?.data?.error?.["@message"] ?? problem.stack);
  process.exit(1);
});
const given = JSON.parse(process.argv[2]);
const token = { getToken: async () => ({ token: "sandbox", expiresOnTimestamp: Date.now() + 3600_000 }) };

function management(Made) {
  const client = new Made(token, given.subscription, {
    endpoint: given.arm,
    allowInsecureConnection: true,
    retryOptions: { maxRetries: 0 },
  });
  client.pipeline.removePolicy({ name: "bearerTokenAuthenticationPolicy" }); // it refuses plain http
  return client;
}

const data = new Client(KustoConnectionStringBuilder.withTokenCredential(given.kusto, token));
const kusto = management(KustoManagementClient);
const authorization = management(AuthorizationManagementClient);

const all = async (pages) => {
  const found = [];
  for await (const one of pages) found.push(one);
  return found;
};
const plain = (cell) => (cell instanceof Date ? cell.toISOString() : typeof cell === "bigint" ? Number(cell) : cell);
const table = async (text, version = "executeMgmt") => {
  const answer = await data[version](given.database, text, new ClientRequestProperties());
  const first = answer.primaryResults[0];
  return {
    columns: first.columns.map((column) => [column.name, column.type]),
    rows: [...first.rows()].map((row) => [...row.values()].map(plain)),
  };
};
const refused = async (send) => {
  try {
    await send();
  } catch (problem) {
    const told = problem.response?.data?.error ?? problem.details?.error ?? problem;
    return { status: problem.response?.status ?? problem.statusCode, code: told.code };
  }
  return null;
};

const { group, cluster, database, scope, role, name, person } = given;
await kusto.clusters.beginUpdateAndWait(group, cluster, { identity: given.identity }, { updateIntervalInMs: 0 });
await kusto.clusterPrincipalAssignments.beginCreateOrUpdateAndWait(
  group,
  cluster,
  "ada",
  { principalId: person, principalType: "User", role: "AllDatabasesViewer" },
  { updateIntervalInMs: 0 },
);
for (const text of given.commands) await table(text);
const assignment = { roleDefinitionId: role, principalId: person, principalType: "User", description: "from JavaScript" };
await authorization.roleAssignments.create(scope, name, assignment);

const identities = (one) => ({ type: one.type, principalId: one.principalId, users: Object.keys(one.userAssignedIdentities) });
const grant = (one) => [one.name, one.scope, one.principalId, one.principalType, one.roleDefinitionId, one.description];

const seen = {
  tables: {},
  query: await table(given.query, "executeQuery"),
  queryV1: await table(given.query, "executeQueryV1"),
  cluster: await kusto.clusters.get(group, cluster).then((one) => [one.name, one.state, one.sku.name, identities(one.identity)]),
  clusters: (await all(kusto.clusters.listByResourceGroup(group))).map((one) => one.name),
  databases: (await all(kusto.databases.listByCluster(group, cluster))).map((one) => [one.name, one.kind]),
  members: (await all(kusto.clusterPrincipalAssignments.list(group, cluster))).map((one) => [one.name, one.role, one.aadObjectId]),
  assignment: grant(await authorization.roleAssignments.get(scope, name)),
  assignments: (await all(authorization.roleAssignments.listForScope(scope, { filter: "atScope()" }))).map(grant),
  definitions: (await all(authorization.roleDefinitions.list(scope, { filter: `roleName eq '${given.roleName}'` }))).map(
    (one) => [one.name, one.roleName, one.permissions.map((each) => each.dataActions)],
  ),
  refusals: {
    syntax: await refused(() => table(".make coffee")),
    missing: await refused(() => table(".drop external table Nothing")),
    cluster: await refused(() => kusto.clusters.get(group, "nobody")),
    twice: await refused(() => authorization.roleAssignments.create(scope, given.otherName, assignment)),
  },
};
for (const text of given.reads) seen.tables[text] = await table(text);
await authorization.roleAssignments.delete(scope, name);
seen.left = (await all(authorization.roleAssignments.listForScope(scope, { filter: "atScope()" }))).map(grant);
data.close();
console.log(JSON.stringify(seen));
