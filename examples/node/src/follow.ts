// Follows the feed and goes on behind the last handled message whenever the connection breaks.

import { setTimeout as sleep } from "node:timers/promises";
import { status, type ServiceError } from "@grpc/grpc-js";
import type { SignalServiceClient } from "./generated/glasstape/v1/SignalService";
import type { SignalsRequest } from "./generated/glasstape/v1/SignalsRequest";
import type { SignalsResponse__Output } from "./generated/glasstape/v1/SignalsResponse";

const LONGEST_DELAY_MS = 5_000;
const RETRYABLE = new Set([status.UNAVAILABLE, status.RESOURCE_EXHAUSTED, status.INTERNAL, status.CANCELLED]);

/**
 * Yields every message of the feed, for ever. A token counts only after the message was handled, so nothing is
 * missed and nothing comes twice; a token that is too old goes on with everything that the journal still has.
 */
export async function* follow(
  client: SignalServiceClient,
  request: SignalsRequest,
): AsyncGenerator<SignalsResponse__Output> {
  let token: Buffer | undefined;
  let failures = 0;
  for (;;) {
    const call = client.Signals({ ...request, resumeToken: token });
    try {
      for await (const message of call as AsyncIterable<SignalsResponse__Output>) {
        failures = 0;
        yield message;
        if (message.opened?.result === "OPEN_RESULT_RESET") token = undefined;
        if (message.resumeToken.length > 0) token = message.resumeToken;
      }
    } catch (error) {
      const code = (error as ServiceError).code;
      if (code === status.OUT_OF_RANGE) {
        token = undefined;
        request = { ...request, start: "START_EARLIEST" };
      } else if (!RETRYABLE.has(code)) throw error;
      failures += 1;
    } finally {
      call.cancel();
    }
    const longest = Math.min(LONGEST_DELAY_MS, 200 * 2 ** Math.max(0, failures - 1));
    await sleep(failures === 0 ? 100 : longest * (0.5 + Math.random() / 2));
  }
}
