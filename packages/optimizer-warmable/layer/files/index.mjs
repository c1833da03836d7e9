// Loads the function's own handler as the runtime does, and lets it answer warm-up pings; see docs/warmups.md.
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { warmable } from "./warmable.mjs";

// The function's modules see the runtime as what loaded them.
const require = createRequire(process.argv[1]);
const named = process.env.OPTIMIZER_WARMABLE_HANDLER;
process.env._HANDLER = named;
delete process.env.OPTIMIZER_WARMABLE_HANDLER;

const load = async (named) => {
  if (named.includes("..")) {
    const rule = "Use absolute paths when specifying root directories in handler names.";
    throw runtimeError("MalformedHandlerName", `'${named}' is not a valid handler name. ${rule}`);
  }
  const base = path.basename(named);
  const folder = named.slice(0, named.indexOf(base));
  const dot = base.indexOf(".");
  if (dot < 0) throw runtimeError("MalformedHandlerName", "Bad handler");
  const module = await loadModule(process.env.LAMBDA_TASK_ROOT ?? process.cwd(), folder, base.slice(0, dot));
  const handler = base.slice(dot + 1).split(".").reduce((nested, key) => nested && nested[key], module);
  if (!handler) throw runtimeError("HandlerNotFound", `${named} is undefined or not exported`);
  if (typeof handler !== "function") throw runtimeError("HandlerNotFound", `${named} is not a function`);
  return handler;
};

const runtimeError = (type, message) => {
  class RuntimeError extends Error {}
  RuntimeError.prototype.name = `Runtime.${type}`;
  return new RuntimeError(message);
};

// An error of the function's module leaves this file as it was thrown; the runtime says what kind it is.
const loadModule = async (root, folder, name) => {
  const file = path.resolve(root, folder, name);
  const required = (extension) => existsSync(file + extension) && require(file + extension);
  const imported = async (extension) =>
    existsSync(file + extension) && (await import(pathToFileURL(file + extension).href));
  const script = existsSync(`${file}.js`);
  return (
    required("") ||
    (script && (isModule(path.dirname(file)) ? await imported(".js") : required(".js"))) ||
    (await imported(".mjs")) ||
    required(".cjs") ||
    require(require.resolve(name, { paths: [root, folder] }))
  );
};

const isModule = (folder) => {
  if (folder.endsWith("/node_modules")) return false;
  const file = path.join(folder, "package.json");
  if (existsSync(file)) {
    try {
      return JSON.parse(readFileSync(file))?.type === "module";
    } catch (error) {
      console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, error);
      return false;
    }
  }
  return folder !== "/" && isModule(path.dirname(folder));
};

const streaming = Symbol.for("aws.lambda.runtime.handler.streaming");
// Undefined for an event that is no ping.
const answer = warmable(() => undefined);

// A proxy keeps what the runtime reads of a handler: how many parameters it has, if it is async, and if it streams.
const answering = (handler) =>
  new Proxy(handler, {
    apply(own, self, args) {
      const streams = Boolean(own[streaming]);
      const answered = answer(args[0], args[streams ? 2 : 1]);
      if (answered !== undefined) return streams ? send(answered, args[1]) : answered;
      try {
        const result = Reflect.apply(own, self, args);
        if (result instanceof Promise) result.catch(removeFrame);
        return result;
      } catch (error) {
        removeFrame(error);
        throw error;
      }
    },
  });

// The frame of this file is no part of the function's error.
const removeFrame = (error) => {
  if (typeof error?.stack !== "string") return;
  const lines = error.stack.split("\n").filter((line) => !line.includes(import.meta.url));
  Reflect.set(error, "stack", lines.join("\n"));
};

const send = async (answered, stream) => {
  const body = JSON.stringify(await answered);
  stream.setContentType("application/json");
  stream.write(body);
  stream.end();
};

export const handler = answering(await load(named));
