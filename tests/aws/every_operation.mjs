// Calls every operation that the client knows, once, and prints what each was answered: {"CreateAlias": {"status", "name", "message"}}.
import { createRequire } from "node:module";

const require = createRequire(process.env.SDK_HOME + "/");
const sdk = require("@aws-sdk/client-lambda");

// Whatever an operation needs to be written down; it takes what it knows. No such function exists.
const input = {
  FunctionName: "nobody", Name: "none", FunctionVersion: "1", Qualifier: "none", LayerName: "none", VersionNumber: 1, StatementId: "s",
  Action: "lambda:InvokeFunction", Principal: "anyone", Arn: "arn:aws:lambda:us-east-1:000000000000:layer:none:1", UUID: "none",
  CodeSigningConfigArn: "arn:aws:lambda:us-east-1:000000000000:code-signing-config:csc-0123456789abcdef0",
  AllowedPublishers: { SigningProfileVersionArns: [] }, Resource: "arn:aws:lambda:us-east-1:000000000000:function:nobody",
  ResourceArn: "arn:aws:lambda:us-east-1:000000000000:function:nobody", Policy: "{}", Tags: { a: "b" }, TagKeys: ["a"],
  Content: { ZipFile: new Uint8Array() }, InvokeArgs: "{}", ProvisionedConcurrentExecutions: 1, ReservedConcurrentExecutions: 1,
  AuthType: "NONE", RecursiveLoop: "Allow", UpdateRuntimeOn: "Auto", CapacityProviderName: "none", DurableExecutionArn: "none",
  CallbackId: "none", CheckpointToken: "t", MaxItems: 1,
};
const client = new sdk.LambdaClient({});
const answers = {};
for (const [name, Command] of Object.entries(sdk)) {
  if (!name.endsWith("Command") || name.startsWith("$") || typeof Command !== "function") continue;
  const operation = name.slice(0, -"Command".length);
  try {
    const answer = await client.send(new Command({ ...input }));
    answers[operation] = { status: answer.$metadata.httpStatusCode, name: "", message: "" };
  } catch (error) {
    answers[operation] = { status: error.$metadata?.httpStatusCode ?? 0, name: error.name, message: error.message };
  }
}
console.log(JSON.stringify(answers));
