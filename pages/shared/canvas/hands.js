// The latent map on a canvas: what hands do to it. Move, zoom, point, click, draw around.

const NEAR = 10;

function attachHands(map) {
  const canvas = map.canvas, fingers = new Map();
  let start = null, moved = false, spread = 0;

  const place = event => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const zoom = (factor, [x, y]) => {
    const k = Math.min(200, Math.max(0.5, map.view.k * factor)), by = k / map.view.k;
    map.view = { k, x: x - by * (x - map.view.x), y: y - by * (y - map.view.y) };
    map.tip.hidden = true;
    map.draw();
  };
  const whole = () => { map.view = { k: 1, x: 0, y: 0 }; map.draw(); };

  // The number of the point under a place, or -1; of several the nearest.
  const under = ([x, y]) => {
    if (!map.data || !map.width) return -1;
    const { n, xy } = map.data;
    let best = -1, least = NEAR * NEAR;
    for (let i = 0; i < n; i++) {
      if (!map.seen(i)) continue;
      const [px, py] = map.at(xy[2 * i], xy[2 * i + 1]), far = (px - x) ** 2 + (py - y) ** 2;
      if (far < least) { least = far; best = i; }
    }
    return best;
  };

  const tell = async where => {
    const i = under(where), data = map.data;
    canvas.classList.toggle("over", i >= 0 && data.clicks);
    if (i < 0) { map.tip.hidden = true; return; }
    // Unpacked when a hand first points somewhere: painting need not wait for it.
    const texts = await (data.read ??= textsOf(data.packedTexts));
    if (map.data !== data) return;
    map.tip.textContent = texts[i];
    map.tip.hidden = false;
    const [x, y] = map.at(data.xy[2 * i], data.xy[2 * i + 1]), w = map.tip.offsetWidth, h = map.tip.offsetHeight;
    map.tip.style.left = `${x + 14 + w > map.width ? Math.max(0, x - 14 - w) : x + 14}px`;
    map.tip.style.top = `${Math.max(0, Math.min(map.height - h, y - h / 2))}px`;
  };

  const choose = where => {
    const i = under(where);
    if (i < 0 || !map.data.clicks) return;
    // Shown at once; the answer of the server brings its own marks.
    map.marks = [...(map.data.many ? map.marks : []), [map.data.xy[2 * i], map.data.xy[2 * i + 1], ""]];
    map.draw();
    map.trigger("clicked", map.id(i));
  };

  const catchPoints = () => {
    const loop = map.loop, caught = [];
    map.loop = null;
    for (let i = 0; loop.length > 2 && i < map.data.n; i++) {
      if (map.seen(i) && isInside(map.at(map.data.xy[2 * i], map.data.xy[2 * i + 1]), loop)) caught.push(i);
    }
    map.inside = caught.length ? new Set(caught) : null;
    map.draw();
    if (caught.length) map.trigger("caught", caught.map(i => map.id(i)));
  };

  canvas.addEventListener("pointerdown", event => {
    fingers.set(event.pointerId, place(event));
    if (event.button !== 0) return;
    start = place(event);
    moved = false;
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()];
      spread = Math.hypot(a[0] - b[0], a[1] - b[1]);
      map.loop = null;
    } else if (map.data.moves && map.drag === "lasso") map.loop = [start];
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", event => {
    const now = place(event), before = fingers.get(event.pointerId);
    if (!before || !start) { if (event.pointerType === "mouse") tell(now); return; }
    fingers.set(event.pointerId, now);
    if (Math.hypot(now[0] - start[0], now[1] - start[1]) > 4) moved = true;
    if (!map.data.moves || !moved) return;
    map.tip.hidden = true;
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()], wide = Math.hypot(a[0] - b[0], a[1] - b[1]);
      zoom(wide / (spread || wide), [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
      spread = wide;
    } else if (map.loop) {
      map.loop.push(now);
      map.draw();
    } else {
      map.view = { ...map.view, x: map.view.x + now[0] - before[0], y: map.view.y + now[1] - before[1] };
      map.draw();
    }
  });
  const lift = event => {
    const known = fingers.delete(event.pointerId);
    if (!known || fingers.size || !start) return;
    const at = start;
    start = null;
    if (event.type === "pointercancel") { map.loop = null; map.draw(); return; }
    if (moved && map.loop) { catchPoints(); return; }
    map.loop = null;
    if (!moved) choose(at);
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  canvas.addEventListener("pointerleave", () => { map.tip.hidden = true; });
  canvas.addEventListener("dblclick", () => { if (map.data.moves) whole(); });
  canvas.addEventListener("wheel", event => {
    if (!map.data.moves) return;
    event.preventDefault();
    zoom(Math.exp(-event.deltaY / 400), place(event));
  }, { passive: false });

  const middle = () => [map.width / 2, map.height / 2];
  const [closer, farther, all] = map.root.querySelectorAll(".tools button");
  closer.onclick = () => zoom(1.5, middle());
  farther.onclick = () => zoom(1 / 1.5, middle());
  all.onclick = whole;
  canvas.addEventListener("keydown", event => {
    const act = { "+": closer, "-": farther, "0": all }[event.key];
    if (act && map.data.moves) act.onclick();
  });
}

function isInside([x, y], loop) {
  let odd = false;
  for (let i = 0, j = loop.length - 1; i < loop.length; j = i++) {
    const [ax, ay] = loop[i], [bx, by] = loop[j];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) odd = !odd;
  }
  return odd;
}
