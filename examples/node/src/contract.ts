// The contract, loaded from the .proto files; its types are generated from the same files.

import * as path from "node:path";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import type { ProtoGrpcType as Inference } from "./generated/inference";
import type { ProtoGrpcType as Signals } from "./generated/signals";
import type { InferenceServiceClient } from "./generated/glasstape/v1/InferenceService";
import type { SignalServiceClient } from "./generated/glasstape/v1/SignalService";

const PROTO = process.env.GLASSTAPE_PROTO ?? path.resolve(__dirname, "../../../proto");

const definition = loadSync(["glasstape/v1/inference.proto", "glasstape/v1/signals.proto"], {
  includeDirs: [PROTO, path.join(PROTO, "vendor")],
  longs: Number,
  enums: String,
  oneofs: true,
  defaults: true,
});

const contract = loadPackageDefinition(definition) as unknown as Inference & Signals;

/** Connects to a server, in plaintext. */
export function connect(address: string): { inference: InferenceServiceClient; signals: SignalServiceClient } {
  const plaintext = credentials.createInsecure();
  return {
    inference: new contract.glasstape.v1.InferenceService(address, plaintext),
    signals: new contract.glasstape.v1.SignalService(address, plaintext),
  };
}
