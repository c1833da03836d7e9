import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

let first = true;
let instance;

export const warmable = (handler) => (event, context, ...rest) => {
  const wasFirst = first;
  first = false;
  return event?.optimizer_warmup ? answer(event.optimizer_warmup, context, wasFirst) : handler(event, context, ...rest);
};

const answer = async (ping, context, wasFirst) => {
  instance ??= randomUUID();
  const left = context?.getRemainingTimeInMillis?.() ?? Infinity;
  await sleep(Math.max(0, Math.min(Number(ping.hold_ms) || 0, 10_000, left - 100)));
  const onDemand = (process.env.AWS_LAMBDA_INITIALIZATION_TYPE ?? "on-demand") === "on-demand";
  return { optimizer_warmup: { cold: wasFirst && onDemand, instance } };
};
