// The action `add` in AssemblyScript on the lean ABI (actions/ABI.md): `{"param1":2,"param2":2}` gives `{"result":4}`.
//
// Build: npm ci && npm run build        (gives build/as-add.wasm)

import { isNumber, member } from "./json";

/** Room for the input. Never freed: the executor puts the memory back after the run. */
export function ow_allocate(len: i32): usize {
  return heap.alloc(len);
}

/** The answer's address in the upper half, its length in the lower one. */
export function ow_run(ptr: usize, len: i32): u64 {
  const answer = String.UTF8.encode(add(String.UTF8.decodeUnsafe(ptr, len)));
  return ((changetype<usize>(answer) as u64) << 32) | (answer.byteLength as u64);
}

function add(input: string): string {
  const param1 = member(input, "param1");
  if (param1 == null) return error("Expected param1 to be present");
  const param2 = member(input, "param2");
  if (param2 == null) return error("Expected param2 to be present");
  if (!isNumber(param1)) return error("Expected param1 to be a number");
  if (!isNumber(param2)) return error("Expected param2 to be a number");

  const sum = parseFloat(param1) + parseFloat(param2);
  if (!isFinite(sum)) return error("The sum is too large");
  // JSON knows one kind of number, but people write 4, not 4.0. Beyond 2^53 a double is no exact integer anyway.
  const isInteger = Math.trunc(sum) == sum && Math.abs(sum) <= 9007199254740992.0;
  return '{"result":' + (isInteger ? (sum as i64).toString() : sum.toString()) + "}";
}

function error(message: string): string {
  return '{"error":"' + message + '"}';
}
