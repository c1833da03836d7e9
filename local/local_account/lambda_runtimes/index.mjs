// Stands in for the runtime of Node.js, whose client cannot be installed here: it loads a handler and calls it by the
// rules of the Lambda Developer Guide, over the Runtime API. Non-standard: there is no `callbackWaitsForEmptyEventLoop`.
import { existsSync, readFileSync } from "node:fs";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(import.meta.url);
const STREAMING = Symbol.for("aws.lambda.runtime.handler.streaming");
const [hostname, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

globalThis.awslambda = {
  streamifyResponse: (handler) => Object.assign(handler, { [STREAMING]: "response" }),
};

const open = (method, route, headers, answered) =>
  http.request({ hostname, port, agent, method, path: `/2018-06-01/runtime/${route}`, headers }, answered);

const send = (method, route, body, headers = {}) =>
  new Promise((resolve, reject) => {
    const request = open(method, route, headers, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve({ body: Buffer.concat(chunks).toString(), headers: response.headers }));
    });
    request.on("error", reject).end(body);
  });

const describe = (error) => ({
  errorType: error?.name ?? typeof error,
  errorMessage: error?.message ?? String(error),
  trace: String(error?.stack ?? "").split("\n"),
});

const named = (type, message) => Object.assign(new Error(message), { name: `Runtime.${type}` });

const isModule = (file) => {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const found = path.join(folder, "package.json");
    if (existsSync(found)) return JSON.parse(readFileSync(found)).type === "module";
    if (folder === "/") return false;
  }
};

const loadFile = async (handler) => {
  const folder = path.dirname(handler), [name] = path.basename(handler).split(".");
  const file = path.resolve(process.env.LAMBDA_TASK_ROOT, folder, name);
  if (existsSync(`${file}.js`) && !isModule(`${file}.js`)) return require(`${file}.js`);
  const extension = [".js", ".mjs"].find((each) => existsSync(file + each));
  if (extension) return await import(pathToFileURL(file + extension).href);
  if (existsSync(`${file}.cjs`)) return require(`${file}.cjs`);
  return require(require.resolve(name, { paths: [process.env.LAMBDA_TASK_ROOT, folder] }));
};

const load = async (handler) => {
  let module;
  try {
    module = await loadFile(handler);
  } catch (error) {
    if (error instanceof SyntaxError) throw named("UserCodeSyntaxError", `${error}`);
    if (error?.code === "MODULE_NOT_FOUND") throw named("ImportModuleError", `${error}`);
    throw error;
  }
  const base = path.basename(handler);
  const found = base.slice(base.indexOf(".") + 1).split(".").reduce((nested, key) => nested?.[key], module);
  if (typeof found !== "function") throw named("HandlerNotFound", `${handler} is undefined or not exported`);
  return found;
};

const call = (handler, event, context) =>
  new Promise((resolve, reject) => {
    const callback = (error, result) => (error == null ? resolve(result) : reject(error));
    const result = handler(event, context, callback);
    // A handler that neither returns a promise nor has a callback has nothing to answer.
    if (typeof result?.then === "function") result.then(resolve, reject);
    else if (handler.length < 3) resolve(null);
  });

const stream = async (handler, event, context, id) => {
  const failed = "Lambda-Runtime-Function-Error-Body";
  const headers = { "Lambda-Runtime-Function-Response-Mode": "streaming", "Transfer-Encoding": "chunked", Trailer: failed };
  let answered;
  const done = new Promise((resolve) => (answered = resolve));
  const request = open("POST", `invocation/${id}/response`, headers, (response) => response.on("end", answered).resume());
  request.setContentType = (type) => request.setHeader("Content-Type", type);
  try {
    await handler(event, request, context);
  } catch (error) {
    console.log(JSON.stringify(describe(error)));
    request.addTrailers({ [failed]: Buffer.from(JSON.stringify(describe(error))).toString("base64") });
    request.end();
  }
  await done;
};

const handler = await load(process.env._HANDLER).catch(async (error) => {
  console.log(JSON.stringify(describe(error)));
  await send("POST", "init/error", JSON.stringify(describe(error)));
  process.exit(1);
});

for (;;) {
  const next = await send("GET", "invocation/next");
  const id = next.headers["lambda-runtime-aws-request-id"];
  const deadline = Number(next.headers["lambda-runtime-deadline-ms"]);
  const context = {
    awsRequestId: id,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  try {
    const event = JSON.parse(next.body);
    if (handler[STREAMING]) await stream(handler, event, context, id);
    else await send("POST", `invocation/${id}/response`, JSON.stringify((await call(handler, event, context)) ?? null));
  } catch (error) {
    console.log(JSON.stringify(describe(error)));
    await send("POST", `invocation/${id}/error`, JSON.stringify(describe(error)));
  }
}
