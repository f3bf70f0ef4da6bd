// Paint a film by WebGL2: its stored values are an integer texture, the grey of each value another, and each screen
// pixel averages the greys of the film pixels that it covers. Nothing is reduced to 8 bits before the window.

import { samplesFor } from "./geometry.js";

const VERTEX = `#version 300 es
void main() { gl_Position = vec4(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0, 0.0, 1.0); }`;

const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
uniform highp usampler2D values;
uniform highp sampler2D table;
uniform vec2 across, down, origin; // film pixels per screen pixel to the right, downwards, and at the corner
uniform float height; // screen pixels
uniform int samples;
out vec4 colour;

float grey(ivec2 at) {
  uint value = texelFetch(values, at, 0).r;
  return texelFetch(table, ivec2(int(value & 255u), int(value >> 8)), 0).r;
}

void main() {
  ivec2 last = textureSize(values, 0) - 1;
  vec2 screen = vec2(gl_FragCoord.x, height - gl_FragCoord.y);
  vec2 at = origin + screen.x * across + screen.y * down;
  float shown = 0.0;
  if (at.x >= 0.0 && at.y >= 0.0 && at.x <= float(last.x + 1) && at.y <= float(last.y + 1)) {
    if (samples == 1) {
      vec2 corner = floor(at - 0.5);
      vec2 part = at - 0.5 - corner;
      ivec2 low = clamp(ivec2(corner), ivec2(0), last);
      ivec2 high = clamp(ivec2(corner) + 1, ivec2(0), last);
      shown = mix(mix(grey(low), grey(ivec2(high.x, low.y)), part.x), mix(grey(ivec2(low.x, high.y)), grey(high), part.x), part.y);
    } else {
      for (int j = 0; j < samples; j++) {
        for (int i = 0; i < samples; i++) {
          vec2 inside = (vec2(float(i), float(j)) + 0.5) / float(samples) - 0.5;
          shown += grey(clamp(ivec2(floor(at + inside.x * across + inside.y * down)), ivec2(0), last));
        }
      }
      shown /= float(samples * samples);
    }
  }
  colour = vec4(vec3(shown), 1.0);
}`;

function compile(gl, kind, source) {
  const shader = gl.createShader(kind);
  gl.shaderSource(shader, source);
  gl.compileShader(shader);
  if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "no shader");
  return shader;
}

function makeProgram(gl) {
  const program = gl.createProgram();
  gl.attachShader(program, compile(gl, gl.VERTEX_SHADER, VERTEX));
  gl.attachShader(program, compile(gl, gl.FRAGMENT_SHADER, FRAGMENT));
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "no program");
  return program;
}

function makeTexture(gl) {
  const texture = gl.createTexture();
  gl.bindTexture(gl.TEXTURE_2D, texture);
  for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
  for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
  return texture;
}

// Browsers do not all say by themselves that the card is the processor in disguise.
function isPlayed(gl) {
  const about = gl.getExtension("WEBGL_debug_renderer_info");
  return about !== null && /swiftshader|llvmpipe|softpipe|software/i.test(gl.getParameter(about.UNMASKED_RENDERER_WEBGL));
}

export class GlPainter {
  // One context for the whole page: browsers give few. Raises where there is none, or one that is played by the
  // processor: the other painter does the same without the detour.
  constructor() {
    this.kind = "webgl2";
    this.canvas = document.createElement("canvas");
    const asked = { alpha: false, antialias: false, depth: false, stencil: false, failIfMajorPerformanceCaveat: true };
    const gl = this.canvas.getContext("webgl2", asked);
    if (!gl || isPlayed(gl)) throw new Error("no graphics card");
    this.gl = gl;
    this.program = makeProgram(gl);
    this.place = (name) => gl.getUniformLocation(this.program, name);
    this.table = makeTexture(gl);
    this.textures = new Map();
    this.largest = gl.getParameter(gl.MAX_TEXTURE_SIZE);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
  }

  get lost() {
    return this.gl.isContextLost();
  }

  takes(frame) {
    return Math.max(frame.width, frame.height) <= this.largest;
  }

  forget(frame) {
    const texture = this.textures.get(frame);
    if (texture) this.gl.deleteTexture(texture);
    this.textures.delete(frame);
  }

  upload(frame) {
    const here = this.textures.get(frame);
    if (here) return here;
    const { gl } = this;
    const texture = makeTexture(gl);
    const [form, kind] = frame.bytes_per_value === 1 ? [gl.R8UI, gl.UNSIGNED_BYTE] : [gl.R16UI, gl.UNSIGNED_SHORT];
    gl.texImage2D(gl.TEXTURE_2D, 0, form, frame.width, frame.height, 0, gl.RED_INTEGER, kind, frame.values);
    // As after too little memory on the graphics card: the other painter takes over.
    if (gl.getError() !== gl.NO_ERROR) throw new Error("no room for the film on the graphics card");
    this.textures.set(frame, texture);
    return texture;
  }

  // `back` leads from screen pixels of `target` to film pixels.
  paint(target, frame, table, back) {
    const { gl, canvas } = this;
    const { width, height } = target.canvas;
    if (canvas.width < width || canvas.height < height) {
      canvas.width = Math.max(canvas.width, width);
      canvas.height = Math.max(canvas.height, height);
    }
    gl.useProgram(this.program);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, this.upload(frame));
    gl.activeTexture(gl.TEXTURE1);
    gl.bindTexture(gl.TEXTURE_2D, this.table);
    const rows = new Uint8Array(256 * Math.max(Math.ceil(table.length / 256), 1));
    rows.set(table);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.R8, 256, rows.length / 256, 0, gl.RED, gl.UNSIGNED_BYTE, rows);
    gl.activeTexture(gl.TEXTURE0);
    gl.uniform1i(this.place("values"), 0);
    gl.uniform1i(this.place("table"), 1);
    gl.uniform2f(this.place("across"), back[0], back[1]);
    gl.uniform2f(this.place("down"), back[2], back[3]);
    gl.uniform2f(this.place("origin"), back[4], back[5]);
    gl.uniform1f(this.place("height"), height);
    gl.uniform1i(this.place("samples"), samplesFor(Math.max(Math.hypot(back[0], back[1]), Math.hypot(back[2], back[3]))));
    gl.viewport(0, 0, width, height);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
    if (gl.isContextLost()) throw new Error("the graphics card was lost");
    target.drawImage(canvas, 0, canvas.height - height, width, height, 0, 0, width, height);
  }
}
