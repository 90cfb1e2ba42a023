// Follows the feed and continues behind the last handled message whenever the connection breaks.

import { setTimeout as sleep } from "node:timers/promises";
import { status, type ClientReadableStream, type ServiceError } from "@grpc/grpc-js";
import type { SignalServiceClient } from "./generated/glasstape/v1/SignalService";
import type { SignalsRequest } from "./generated/glasstape/v1/SignalsRequest";
import type { SignalsResponse__Output } from "./generated/glasstape/v1/SignalsResponse";

const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;
const HEARTBEAT_MS = 1_000;
/** A connection that is silent for this long is considered dead: three heartbeats and a second. */
const SILENCE_MS = 3 * HEARTBEAT_MS + 1_000;
const RETRYABLE = new Set([
  status.UNAVAILABLE,
  status.RESOURCE_EXHAUSTED,
  status.INTERNAL,
  status.CANCELLED, // by the watchdog below, or by the peer
]);

/** Seconds and nanoseconds as milliseconds. */
function milliseconds(duration: { seconds: number; nanos: number } | null | undefined): number {
  return duration ? duration.seconds * 1_000 + duration.nanos / 1e6 : 0;
}

/** Yields the messages of one connection. Cancels it if no message arrives for SILENCE_MS while one is awaited. */
async function* messagesOf(call: ClientReadableStream<SignalsResponse__Output>): AsyncGenerator<SignalsResponse__Output> {
  const iterator = (call as AsyncIterable<SignalsResponse__Output>)[Symbol.asyncIterator]();
  for (;;) {
    const watchdog = setTimeout(() => call.cancel(), SILENCE_MS);
    try {
      const next = await iterator.next();
      if (next.done) return;
      clearTimeout(watchdog); // the time of the caller's handler is not silence
      yield next.value;
    } finally {
      clearTimeout(watchdog);
    }
  }
}

/**
 * Yields every message of the feed, without end. A token counts only after its message was handled, so that nothing
 * is missed or delivered twice. If the token is too old, the stream continues with the earliest event of the journal.
 */
export async function* follow(
  client: SignalServiceClient,
  request: SignalsRequest,
): AsyncGenerator<SignalsResponse__Output> {
  let token: Buffer | undefined;
  let failures = 0;
  for (;;) {
    const heartbeatInterval = { seconds: HEARTBEAT_MS / 1_000, nanos: 0 };
    const call = client.Signals({ heartbeatInterval, ...request, resumeToken: token });
    let delay = 100;
    try {
      for await (const message of messagesOf(call)) {
        failures = 0;
        yield message;
        if (message.opened?.result === "OPEN_RESULT_RESET") token = undefined;
        if (message.resumeToken.length > 0) token = message.resumeToken;
        // The server says when to come back; spread over half to one and a half of that time.
        if (message.goodbye) delay = milliseconds(message.goodbye.retryDelay) * (0.5 + Math.random());
      }
    } catch (error) {
      const code = (error as ServiceError).code;
      if (code === status.OUT_OF_RANGE) {
        token = undefined;
        request = { ...request, start: "START_EARLIEST" };
      } else if (!RETRYABLE.has(code)) throw error;
      failures += 1;
      const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (failures - 1));
      delay = longest * (0.5 + Math.random() / 2);
    } finally {
      call.cancel();
    }
    await sleep(delay);
  }
}
