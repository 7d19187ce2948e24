// A function's life through @aws-sdk/client-lambda: prints what each step was answered. Arguments: the zip's path, another zip's path.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.SDK_HOME + "/");
const sdk = require("@aws-sdk/client-lambda");

const client = new sdk.LambdaClient({});
const seen = {};
const send = (name, input) => client.send(new sdk[`${name}Command`](input));
const errorOf = async (name, input) => {
  try {
    await send(name, input);
    return { name: "", message: "" };
  } catch (error) {
    return { name: error.name, message: error.message, status: error.$metadata?.httpStatusCode, fault: error.$fault,
             known: sdk[error.name] !== undefined && error instanceof sdk[error.name] };
  }
};
const text = (bytes) => Buffer.from(bytes).toString();
const FunctionName = "jslife";
const [first, second] = process.argv.slice(2).map((path) => readFileSync(path));

seen.missing = await errorOf("GetFunction", { FunctionName });
seen.created = await send("CreateFunction", { FunctionName, Role: "arn:aws:iam::000000000000:role/x", Runtime: "python3.11",
  Handler: "app.handler", Code: { ZipFile: first }, Environment: { Variables: { WORD: "js" } }, Publish: true, Tags: { a: "b" } });
seen.again = await errorOf("CreateFunction", { FunctionName, Role: "arn:aws:iam::000000000000:role/x", Runtime: "python3.11",
  Handler: "app.handler", Code: { ZipFile: first } });
seen.waiters = [];
for (const waiter of ["waitUntilFunctionExists", "waitUntilFunctionActive", "waitUntilFunctionActiveV2", "waitUntilFunctionUpdated",
                      "waitUntilFunctionUpdatedV2"]) {
  seen.waiters.push((await sdk[waiter]({ client, maxWaitTime: 10 }, { FunctionName })).state);
}
seen.waiters.push((await sdk.waitUntilPublishedVersionActive({ client, maxWaitTime: 10 }, { FunctionName, Qualifier: "1" })).state);

const invoked = await send("Invoke", { FunctionName, Payload: JSON.stringify({ "ü": 1 }), LogType: "Tail",
  ClientContext: Buffer.from(JSON.stringify({ custom: { k: "v" } })).toString("base64") });
seen.invoked = { status: invoked.StatusCode, version: invoked.ExecutedVersion, payload: JSON.parse(text(invoked.Payload)),
                 log: Buffer.from(invoked.LogResult, "base64").toString() };
const failed = await send("Invoke", { FunctionName: `${FunctionName}:1`, Payload: JSON.stringify({ fail: true }) });
seen.failed = { status: failed.StatusCode, error: failed.FunctionError, version: failed.ExecutedVersion, payload: JSON.parse(text(failed.Payload)) };
seen.dryRun = (await send("Invoke", { FunctionName, InvocationType: "DryRun" })).StatusCode;
seen.event = (await send("Invoke", { FunctionName, InvocationType: "Event", Payload: "{}" })).StatusCode;
seen.notJson = await errorOf("Invoke", { FunctionName, Payload: "{" });
seen.stream = await errorOf("InvokeWithResponseStream", { FunctionName });

seen.updated = await send("UpdateFunctionCode", { FunctionName, ZipFile: second, Publish: true });
seen.stale = await errorOf("UpdateFunctionConfiguration", { FunctionName, Timeout: 9, RevisionId: "other" });
seen.configured = await send("UpdateFunctionConfiguration", { FunctionName, Timeout: 9 });
seen.published = await send("PublishVersion", { FunctionName, Description: "third" });
seen.alias = await send("CreateAlias", { FunctionName, Name: "prod", FunctionVersion: "2",
  RoutingConfig: { AdditionalVersionWeights: { 3: 0.5 } } });
seen.byAlias = text((await send("Invoke", { FunctionName, Qualifier: "prod" })).Payload);
seen.versions = [];
for await (const page of sdk.paginateListVersionsByFunction({ client, pageSize: 2 }, { FunctionName })) {
  seen.versions.push(page.Versions.map((each) => each.Version));
}
seen.functions = [];
for await (const page of sdk.paginateListFunctions({ client, pageSize: 1 }, {})) seen.functions.push(...page.Functions.map((each) => each.FunctionName));
const { Code } = await send("GetFunction", { FunctionName });
seen.download = Buffer.compare(Buffer.from(await (await fetch(Code.Location)).arrayBuffer()), second) === 0;
await send("TagResource", { Resource: seen.created.FunctionArn.replace(/:1$/, ""), Tags: { "c d": "é" } });
seen.tags = (await send("ListTags", { Resource: seen.created.FunctionArn.replace(/:1$/, "") })).Tags;
seen.recursion = (await send("GetFunctionRecursionConfig", { FunctionName })).RecursiveLoop;
seen.runtime = (await send("GetRuntimeManagementConfig", { FunctionName })).UpdateRuntimeOn;
seen.logging = (await send("GetFunctionConfiguration", { FunctionName })).LoggingConfig;
seen.inUse = await errorOf("DeleteFunction", { FunctionName, Qualifier: "3" });
seen.deleted = (await send("DeleteFunction", { FunctionName })).$metadata.httpStatusCode;
const stranger = new sdk.LambdaClient({ credentials: { accessKeyId: "A".repeat(20), secretAccessKey: "b".repeat(40) } });
seen.stranger = await stranger.send(new sdk.ListFunctionsCommand({})).catch((error) => ({ name: error.name, message: error.message }));
console.log(JSON.stringify(seen));
