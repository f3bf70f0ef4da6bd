// What a file is, from its first bytes: type and, where they stand there, width and height. Never trusted, only shown.

function text(bytes, from, length) {
  return String.fromCharCode(...bytes.subarray(from, from + length));
}

function jpegSize(view) {
  let at = 2;
  while (at + 9 < view.byteLength && view.getUint8(at) === 0xff) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1;
      continue;
    }
    // Start of frame, all coding processes (ITU T.81 table B.1), without DHT, JPG and DAC.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    }
    at += 2 + view.getUint16(at + 2);
  }
  return {};
}

export function sniff(buffer) {
  const bytes = new Uint8Array(buffer);
  const view = new DataView(buffer);
  if (bytes.length === 0) return { type: "empty" };
  if (bytes.length > 24 && view.getUint32(0) === 0x89504e47) {
    return { type: "PNG", width: view.getUint32(16), height: view.getUint32(20) };
  }
  if (bytes.length > 3 && bytes[0] === 0xff && bytes[1] === 0xd8) return { type: "JPEG", ...jpegSize(view) };
  if (bytes.length > 132 && text(bytes, 128, 4) === "DICM") return { type: "DICOM" };
  return { type: "unknown" };
}
