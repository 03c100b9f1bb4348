// As much JSON as an action with numbers needs. The executor hands over one well-formed JSON object or array.

const QUOTE: u16 = 0x22;
const BACKSLASH: u16 = 0x5c;

/** The text of an object's member, or null. A key that is written with escapes is not recognised. */
export function member(object: string, key: string): string | null {
  let at = skipSpaces(object, 0);
  if (at >= object.length || object.charCodeAt(at) != 0x7b) return null; // {
  at = skipSpaces(object, at + 1);
  while (at < object.length && object.charCodeAt(at) == QUOTE) {
    const keyEnd = skipString(object, at);
    const isWanted = object.substring(at + 1, keyEnd - 1) == key;
    const start = skipSpaces(object, skipSpaces(object, keyEnd) + 1); // the colon
    const end = skipValue(object, start);
    if (isWanted) return object.substring(start, end);
    at = skipSpaces(object, skipSpaces(object, end) + 1); // the comma
  }
  return null;
}

/** Whether a value's text is a number's. */
export function isNumber(value: string): bool {
  const first = value.charCodeAt(0);
  return first == 0x2d || (first >= 0x30 && first <= 0x39); // - or a digit
}

function isSpace(code: i32): bool {
  return code == 0x20 || code == 0x09 || code == 0x0a || code == 0x0d;
}

function skipSpaces(text: string, at: i32): i32 {
  while (at < text.length && isSpace(text.charCodeAt(at))) at++;
  return at;
}

/** From the opening quote to after the closing one. */
function skipString(text: string, at: i32): i32 {
  for (at++; at < text.length && text.charCodeAt(at) != QUOTE; at++) {
    if (text.charCodeAt(at) == BACKSLASH) at++;
  }
  return at + 1;
}

/** From the first unit of a value to after its last. */
function skipValue(text: string, at: i32): i32 {
  let depth = 0;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code == QUOTE) {
      at = skipString(text, at);
      if (depth == 0) return at;
      continue;
    }
    if (code == 0x7b || code == 0x5b) {
      depth++;
    } else if (code == 0x7d || code == 0x5d) {
      if (depth == 0) return at; // after a number or a word that was the last member
      if (--depth == 0) return at + 1;
    } else if (depth == 0 && (code == 0x2c || isSpace(code))) {
      return at;
    }
    at++;
  }
  return at;
}
