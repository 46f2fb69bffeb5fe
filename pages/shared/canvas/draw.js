// The latent map on a canvas: what is drawn. Its payload is made by pages/shared/canvas_map.py (layout there).
//
// One source is mounted twice: with bytes it is a map, with an object it is what lies on a map (marks, a path, what
// dragging does). Both share this module, so that a click sends a few bytes and never the points again.

const maps = new Map();
const layers = new Map();

export default function ({ data, parentElement, setTriggerValue }) {
  if (!(data instanceof Uint8Array)) {
    layers.set(data.map, data);
    maps.get(data.map)?.layer(data);
    return;
  }
  const map = (parentElement.latentMap ??= new LatentMap(parentElement.querySelector(".map")));
  map.show(data, setTriggerValue);
  return () => map.close();
}

function unpacked(bytes) {
  const size = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + size)));
  // Typed arrays need aligned offsets, which a slice of a message does not have.
  let at = 4 + size;
  const take = length => bytes.slice(at, (at += length)).buffer;
  const n = header.n;
  return {
    ...header,
    xy: new Float32Array(take(8 * n)),
    rows: new Uint32Array(take(4 * n)),
    codes: new Uint8Array(take(n)),
    packedTexts: take(header.texts),
    shades: header.crowd && new Uint8Array(take(header.crowd.side ** 2)),
  };
}

async function textsOf(buffer) {
  const stream = new Blob([buffer]).stream().pipeThrough(new DecompressionStream("gzip"));
  return (await new Response(stream).text()).split("\u001e");
}

class LatentMap {
  constructor(root) {
    this.root = root;
    this.canvas = root.querySelector("canvas");
    this.canvas.latentMap = this;
    this.legend = root.querySelector(".legend");
    this.tip = root.querySelector(".tip");
    this.view = { k: 1, x: 0, y: 0 };
    this.hidden = new Set();
    this.inside = null;
    this.loop = null;
    this.sizes = new ResizeObserver(() => this.draw());
    this.sizes.observe(this.canvas.parentElement);
    attachHands(this);
  }

  close() {
    this.sizes.disconnect();
    if (maps.get(this.name) === this) maps.delete(this.name);
  }

  show(bytes, trigger) {
    this.trigger = trigger;
    if (this.bytes === bytes) return;
    this.bytes = bytes;
    const data = unpacked(bytes);
    if (data.name !== this.name) {
      this.view = { k: 1, x: 0, y: 0 };
      this.inside = null;
    }
    if (!this.data || data.n !== this.data.n) this.inside = null;
    if (JSON.stringify(data.legend) !== JSON.stringify(this.data?.legend)) this.hidden.clear();
    Object.assign(this, { data, name: data.name, sprites: new Map(), below: null });
    maps.set(this.name, this);
    this.root.style.setProperty("--height", `${data.height}px`);
    this.root.classList.toggle("still", !data.moves);
    this.canvas.setAttribute("aria-label", data.alt);
    this.bound();
    this.explain();
    this.layer(layers.get(this.name) ?? {});
  }

  layer({ marks = [], path = [], drag = "pan" }) {
    Object.assign(this, { marks, path, drag });
    if (drag !== "lasso") this.inside = null;
    this.canvas.dataset.drag = this.data.moves ? drag : "none";
    this.draw();
  }

  bound() {
    const { xy, n } = this.data, box = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < 2 * n; i += 2) {
      box[0] = Math.min(box[0], xy[i]); box[2] = Math.max(box[2], xy[i]);
      box[1] = Math.min(box[1], xy[i + 1]); box[3] = Math.max(box[3], xy[i + 1]);
    }
    this.box = n ? box : [0, 0, 1, 1];
  }

  // Screen position of a point of the map, in CSS pixels of the canvas.
  at(x, y) {
    const [left, low, right, high] = this.box, edge = 18, { k, x: dx, y: dy } = this.view;
    const u = right > left ? (x - left) / (right - left) : 0.5, v = high > low ? (high - y) / (high - low) : 0.5;
    return [dx + k * (edge + u * (this.width - 2 * edge)), dy + k * (edge + v * (this.height - 2 * edge))];
  }

  kind(i) { return i < this.data.real ? "r" : "s"; }
  id(i) { return this.kind(i) + this.data.rows[i]; }
  seen(i) { return !this.hidden.has(this.kind(i)) && !this.hidden.has(this.data.codes[i]); }

  // One picture for each colour and shape, stamped at every point.
  sprite(code, real, faint) {
    const key = `${code} ${real} ${faint}`;
    if (this.sprites.has(key)) return this.sprites.get(key);
    const size = this.data.size + 3, made = document.createElement("canvas");
    made.width = made.height = Math.ceil(size * this.ratio);
    const g = made.getContext("2d"), r = this.data.size / 2, c = size / 2;
    g.scale(made.width / size, made.width / size);
    g.globalAlpha = faint ? 0.25 : 0.75;
    g.fillStyle = g.strokeStyle = this.data.colours[code];
    g.beginPath();
    if (real) {
      g.arc(c, c, r, 0, 2 * Math.PI);
      g.fill();
    } else {
      g.lineWidth = 1.3;
      g.moveTo(c, c - r - 0.5); g.lineTo(c + r + 0.5, c); g.lineTo(c, c + r + 0.5); g.lineTo(c - r - 0.5, c);
      g.closePath();
      g.stroke();
    }
    this.sprites.set(key, made);
    return made;
  }

  draw() {
    if (!this.data || this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => { this.waiting = false; this.paint(); });
  }

  paint() {
    const canvas = this.canvas, ratio = window.devicePixelRatio || 1;
    this.width = canvas.clientWidth; this.height = canvas.clientHeight;
    if (!this.width) return;
    if (this.ratio !== ratio) { this.ratio = ratio; this.sprites.clear(); }
    canvas.width = this.width * ratio; canvas.height = this.height * ratio;
    const g = canvas.getContext("2d"), { n, xy, codes, real, size } = this.data, whole = size + 3;
    g.scale(ratio, ratio);
    this.paintCrowd(g);
    let drawn = 0;
    for (let i = 0; i < n; i++) {
      if (!this.seen(i)) continue;
      const [x, y] = this.at(xy[2 * i], xy[2 * i + 1]);
      if (x < -9 || y < -9 || x > this.width + 9 || y > this.height + 9) continue;
      const faint = this.inside !== null && !this.inside.has(i);
      g.drawImage(this.sprite(codes[i], i < real, faint), x - whole / 2, y - whole / 2, whole, whole);
      drawn++;
    }
    this.paintLayer(g);
    canvas.dataset.drawn = drawn;
  }

  // Where all points lie, below the sample of them that is drawn.
  paintCrowd(g) {
    const { crowd, shades } = this.data;
    if (!crowd) return;
    if (!this.below) {
      this.below = document.createElement("canvas");
      this.below.width = this.below.height = crowd.side;
      const pen = this.below.getContext("2d"), picture = pen.createImageData(crowd.side, crowd.side);
      // A grey that is seen on light and on dark paper.
      shades.forEach((shade, i) => picture.data.set([128, 134, 144, 0.5 * shade], 4 * i));
      pen.putImageData(picture, 0, 0);
    }
    const [left, low, right, high] = crowd.box, [x, y] = this.at(left, high), [x2, y2] = this.at(right, low);
    g.drawImage(this.below, x, y, x2 - x, y2 - y);
  }

  paintLayer(g) {
    const style = getComputedStyle(this.canvas), ink = style.color, paper = style.getPropertyValue("--paper");
    g.strokeStyle = g.fillStyle = ink;
    g.lineWidth = 2;
    const way = this.path.map(([x, y]) => this.at(x, y));
    g.beginPath();
    way.forEach(([x, y]) => g.lineTo(x, y));
    g.stroke();
    for (const [x, y] of way) { g.beginPath(); g.arc(x, y, 4, 0, 2 * Math.PI); g.fill(); }
    g.font = `600 14px ${style.fontFamily}`;
    g.textAlign = "center"; g.textBaseline = "middle";
    for (const [px, py, label] of this.marks) {
      const [x, y] = this.at(px, py);
      g.lineWidth = 3;
      g.beginPath(); g.arc(x, y, 9, 0, 2 * Math.PI); g.stroke();
      if (!label) continue;
      g.lineWidth = 2;
      const up = y > 48 ? -1 : 1, middle = y + up * 32;
      g.beginPath(); g.moveTo(x, y + up * 9); g.lineTo(x, middle); g.stroke();
      g.fillStyle = ink; g.fillRect(x - 11, middle - 11, 22, 22);
      g.fillStyle = paper; g.fillText(label, x, middle + 1);
      g.fillStyle = ink;
    }
    if (this.loop) {
      g.lineWidth = 1.5;
      g.setLineDash([5, 4]);
      g.beginPath();
      this.loop.forEach(([x, y]) => g.lineTo(x, y));
      g.stroke();
      g.setLineDash([]);
    }
  }

  // The legend: a press hides a group and shows it again; numbers have a bar instead of groups.
  explain() {
    const { legend, bar, colours } = this.data;
    this.legend.replaceChildren();
    for (const { label, key, code, shape } of legend) {
      const entry = document.createElement("button"), sign = document.createElement("i");
      entry.type = "button";
      entry.setAttribute("aria-pressed", String(!this.hidden.has(key)));
      sign.className = shape;
      sign.style.color = code === null ? "currentColor" : colours[code];
      entry.append(sign, label);
      entry.onclick = () => {
        if (!this.hidden.delete(key)) this.hidden.add(key);
        entry.setAttribute("aria-pressed", String(!this.hidden.has(key)));
        this.draw();
      };
      this.legend.append(entry);
    }
    if (!bar) return;
    const scale = document.createElement("span"), [low, ramp, high] = ["b", "u", "b"].map(tag => document.createElement(tag));
    scale.className = "bar";
    low.textContent = bar.low; high.textContent = bar.high;
    ramp.style.background = `linear-gradient(to right, ${colours.slice(0, bar.count).filter((_, i) => i % 16 === 0).join(", ")})`;
    scale.append(low, ramp, high);
    this.legend.append(scale);
  }
}
