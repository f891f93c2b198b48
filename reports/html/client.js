// @ts-check
// The report's timeline: rows of SVG on one shared time axis. Runs in the page, inlined; no library, no network.
(() => {
  /** @typedef {{kind: string, fromMs: number, toMs: number}} Bar */
  /** @typedef {{kind: string, t: number, text: string}} Mark */
  /** @typedef {{name: string, note: string, bars: Bar[], marks: Mark[]}} Lane */
  /** @typedef {{name: string, style: string, gapMs: number, step?: true, points: [number, number][]}} Line */
  /** @typedef {{id: string, title: string, unit: string, lines: Line[], more: boolean}} Track */
  /** @typedef {{name: string, startMs: number, endMs: number}} Phase */
  /** @type {{endMs: number, bucketMs: number, phases: Phase[], faults: Lane[], alerts: Lane[], marks: Mark[], tracks: Track[]}} */
  const data = JSON.parse(document.getElementById('data')?.textContent ?? '{}');
  const chart = /** @type {HTMLElement} */ (document.getElementById('chart'));
  const status = /** @type {HTMLElement} */ (document.getElementById('chart-status'));
  const SVG = 'http://www.w3.org/2000/svg';
  const END = Math.max(data.endMs, 1);
  /** End of the last phase; what comes after is the drain. */
  const LAST = data.phases.reduce((most, p) => Math.max(most, p.endMs), 0) || END;
  const LEAST = Math.min(END, Math.max(data.bucketMs * 8, 1000));

  let from = 0;
  let to = END;
  let width = 0;
  /** @type {number | null} */
  let cursor = null;
  /** @type {number | null} */
  let printWidth = null;

  const x = (/** @type {number} */ t) => ((t - from) / (to - from)) * width;
  const clamp = (/** @type {number} */ v, /** @type {number} */ lo, /** @type {number} */ hi) =>
    Math.min(Math.max(v, lo), hi);
  const fixed = (/** @type {number} */ v) => v.toFixed(1);

  /**
   * @param {string} tag
   * @param {Record<string, string | number>} attributes
   * @param {Element} [parent]
   * @param {string} [text]
   */
  function svg(tag, attributes, parent, text) {
    const el = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) el.setAttribute(key, String(value));
    if (text !== undefined) el.textContent = text;
    parent?.append(el);
    return el;
  }

  /**
   * @param {string} tag
   * @param {string} className
   * @param {Element} [parent]
   * @param {string} [text]
   */
  function node(tag, className, parent, text) {
    const el = document.createElement(tag);
    el.className = className;
    if (text !== undefined) el.textContent = text;
    parent?.append(el);
    return el;
  }

  /** @param {number} ms @param {number} step */
  function clock(ms, step) {
    const sign = ms < 0 ? '-' : '';
    const size = Math.abs(ms);
    const digits = step >= 1000 ? 0 : step >= 100 ? 1 : step >= 10 ? 2 : 3;
    if (END < 300_000) return `${sign}${(size / 1000).toFixed(digits)} s`;
    const whole = Math.floor(size / 60_000);
    const seconds = ((size % 60_000) / 1000).toFixed(digits).padStart(digits ? 3 + digits : 2, '0');
    if (whole < 60) return `${sign}${whole}:${seconds}`;
    return `${sign}${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}:${seconds}`;
  }

  /** @param {number} v */
  function short(v) {
    const size = Math.abs(v);
    if (size >= 10_000) return `${Number((v / 1000).toPrecision(3))}k`;
    return String(Number(v.toPrecision(3)));
  }

  /** The least of 1, 2, 5 x 10^n that is at least `v`. @param {number} v */
  function nice(v) {
    const power = 10 ** Math.floor(Math.log10(v));
    return ([1, 2, 5, 10].find((m) => m * power >= v) ?? 10) * power;
  }

  const STEPS = [
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5,
    72e5, 216e5, 864e5,
  ];
  function timeStep() {
    const wanted = (to - from) / Math.max(width / 90, 2);
    return STEPS.find((s) => s >= wanted) ?? 864e5;
  }

  const phaseAt = (/** @type {number} */ t) =>
    data.phases.find((p) => t >= p.startMs && t < p.endMs)?.name ?? '';

  /**
   * A row: a head with its name, and a plot.
   * @typedef {{svg: Element, hidden: () => boolean, height: number, draw: (g: Element) => void, read: (t: number | null) => string, cursor?: Element}} Row
   */
  /** @type {Row[]} */
  const rows = [];
  /** Where rows are put. @type {Element} */
  let into = chart;

  /** The plot of the axis, which is the first row and always there. */
  const axis = () => /** @type {Row} */ (rows[0]).svg;

  /**
   * @param {string} className
   * @param {number} height
   * @param {(head: HTMLElement) => {draw: (g: Element) => void, read: (t: number | null) => string}} build
   */
  function addRow(className, height, build) {
    const box = node('div', `track ${className}`, into);
    const group = box.closest('details');
    const head = node('div', 'track-head', box);
    const plot = svg('svg', { class: 'plot', height, 'aria-hidden': 'true' }, box);
    rows.push({ svg: plot, hidden: () => group !== null && !group.open, height, ...build(head) });
  }

  /** Phases shaded, and the time in which a fault was on. @param {Element} g @param {number} height */
  function backdrop(g, height) {
    for (const [i, p] of data.phases.entries()) {
      const left = clamp(x(p.startMs), 0, width);
      const right = clamp(x(p.endMs), 0, width);
      if (right <= left) continue;
      svg(
        'rect',
        { class: `band${i % 2 ? ' odd' : ''}`, x: fixed(left), y: 0, width: fixed(right - left), height },
        g,
      );
      if (p.startMs > from)
        svg('line', { class: 'edge', x1: fixed(left), x2: fixed(left), y1: 0, y2: height }, g);
    }
    const left = clamp(x(LAST), 0, width);
    if (LAST < END && left < width) {
      svg('rect', { class: 'band after', x: fixed(left), y: 0, width: fixed(width - left), height }, g);
      if (LAST > from) svg('line', { class: 'edge', x1: fixed(left), x2: fixed(left), y1: 0, y2: height }, g);
    }
    for (const lane of data.faults)
      for (const bar of lane.bars) {
        if (bar.kind !== 'injected') continue;
        const left = clamp(x(bar.fromMs), 0, width);
        const right = clamp(x(bar.toMs), 0, width);
        if (right > left)
          svg('rect', { class: 'band hurt', x: fixed(left), y: 0, width: fixed(right - left), height }, g);
      }
  }

  /** Width of text in the page's font, near enough to place labels. @param {string} text */
  const textWidth = (text) => text.length * 6.3;

  function buildAxis() {
    addRow('axis', 40, () => ({
      draw(g) {
        backdrop(g, 40);
        const after = LAST < END ? [{ name: 'drain', startMs: LAST, endMs: END }] : [];
        for (const p of [...data.phases, ...after]) {
          const left = clamp(x(p.startMs), 0, width);
          const right = clamp(x(p.endMs), 0, width);
          const room = Math.floor((right - left - 8) / 6.3);
          if (room < 4) continue;
          const name = p.name.length <= room ? p.name : `${p.name.slice(0, room - 1)}…`;
          svg('text', { x: fixed(left + 5), y: 14, class: p.startMs === LAST ? '' : 'now' }, g, name);
        }
        const step = timeStep();
        for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
          const at = x(t);
          const label = clock(t, step);
          const half = textWidth(label) / 2;
          const anchor = at < half ? 'start' : at > width - half ? 'end' : 'middle';
          svg('line', { class: 'edge', x1: fixed(at), x2: fixed(at), y1: 20, y2: 24 }, g);
          svg('text', { x: fixed(at), y: 35, 'text-anchor': anchor }, g, label);
        }
      },
      read: (t) => (t === null ? '' : `${clock(t, 100)} ${phaseAt(t)}`),
    }));
  }

  /** Height of the rows with bars and events: two lines of text in the head. */
  const LANE = 42;
  const MIDDLE = LANE / 2;

  /** Top and height of a bar. @type {Record<string, [number, number]>} */
  const BAR = {
    injected: [MIDDLE - 13, 4],
    effect: [MIDDLE - 7, 18],
    pending: [MIDDLE - 4, 8],
    firing: [MIDDLE - 9, 18],
  };

  /** @param {Lane} lane @param {string} sort */
  function buildLane(lane, sort) {
    addRow(`lane ${sort}`, LANE, (head) => {
      node('b', '', head, lane.name);
      const note = node('span', 'note', head, lane.note);
      return {
        draw(g) {
          backdrop(g, LANE);
          for (const bar of lane.bars) {
            const left = clamp(x(bar.fromMs), -2, width + 2);
            const right = clamp(x(bar.toMs), -2, width + 2);
            if (right < 0 || left > width || bar.toMs < from || bar.fromMs > to) continue;
            const [y, height] = BAR[bar.kind] ?? [MIDDLE - 9, 18];
            const rect = svg(
              'rect',
              {
                class: `bar-${bar.kind}`,
                x: fixed(left),
                y,
                width: fixed(Math.max(right - left, 2)),
                height,
                rx: Math.min(3, height / 2),
              },
              g,
            );
            svg('title', {}, rect, `${bar.kind}: ${clock(bar.fromMs, 100)} to ${clock(bar.toMs, 100)}`);
            if (height > 12 && right - left > textWidth(bar.kind) + 30) {
              const at = fixed(Math.max(left, 0) + 12);
              svg('text', { class: `inbar-${bar.kind}`, x: at, y: y + height / 2 + 4 }, g, bar.kind);
            }
          }
          for (const m of lane.marks) {
            if (m.t < from || m.t > to) continue;
            const at = x(m.t);
            const ends = m.kind === 'gone' || m.kind === 'resolved';
            const shape =
              sort === 'fault'
                ? svg(
                    'path',
                    { class: `mark ${ends ? '' : 'fill'}`, d: `M${fixed(at)} ${MIDDLE - 4}l6 6l-6 6l-6-6z` },
                    g,
                  )
                : svg(
                    'path',
                    {
                      class: `mark ${m.kind}`,
                      d: ends
                        ? `M${fixed(at - 5)} ${MIDDLE + 5}h10l-5-10z`
                        : `M${fixed(at - 5)} ${MIDDLE - 5}h10l-5 10z`,
                    },
                    g,
                  );
            svg('title', {}, shape, `${m.text}: ${clock(m.t, 100)}`);
          }
        },
        read(t) {
          const bars =
            t === null ? [] : lane.bars.filter((b) => b.fromMs <= t && t < b.toMs).map((b) => b.kind);
          const near = t === null ? undefined : lane.marks.find((m) => Math.abs(x(m.t) - x(t)) < 5);
          note.textContent =
            t === null ? lane.note : near ? near.text : bars.length > 0 ? bars.join(', ') : 'not active';
          return t === null || bars.length === 0 ? '' : `${lane.name} ${bars.join(', ')}`;
        },
      };
    });
  }

  function buildMarks() {
    if (data.marks.length === 0) return;
    addRow('lane', LANE, (head) => {
      node('b', '', head, 'Events');
      const note = node('span', 'note', head, 'from the journal');
      return {
        draw(g) {
          backdrop(g, LANE);
          let free = 0;
          const shown = data.marks.filter((m) => m.t >= from && m.t <= to);
          for (const [i, m] of shown.entries()) {
            const at = x(m.t);
            const tick = svg(
              'circle',
              { class: 'mark', cx: fixed(clamp(at, 5, width - 5)), cy: MIDDLE, r: 4 },
              g,
            );
            svg('title', {}, tick, `${m.text}: ${clock(m.t, 100)}`);
            const next = shown[i + 1];
            const room = (next ? x(next.t) : width) - at - 14;
            const letters = Math.floor(room / 6.3);
            if (at < free || letters < Math.min(m.text.length, 9)) continue;
            const text = m.text.length <= letters ? m.text : `${m.text.slice(0, letters - 1)}…`;
            svg('text', { x: fixed(at + 8), y: MIDDLE + 4, class: 'halo' }, g, text);
            free = at + textWidth(text);
          }
        },
        read(t) {
          const near = t === null ? undefined : data.marks.find((m) => Math.abs(x(m.t) - x(t)) < 6);
          note.textContent =
            t === null ? 'from the journal' : near ? `${near.text}, ${clock(near.t, 100)}` : '–';
          return near?.text ?? '';
        },
      };
    });
  }

  /** Index of the last point at or before t. @param {[number, number][]} points @param {number} t */
  function before(points, t) {
    let low = 0;
    let high = points.length;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (/** @type {[number, number]} */ (points[mid])[0] <= t) low = mid + 1;
      else high = mid;
    }
    return low - 1;
  }

  /** @param {Line} line @param {(v: number) => number} y */
  function path(line, y) {
    const first = Math.max(0, before(line.points, from) - 1);
    const last = Math.min(line.points.length - 1, before(line.points, to) + 1);
    let d = '';
    let prior = -Infinity;
    for (let i = first; i <= last; i++) {
      const [t, v] = /** @type {[number, number]} */ (line.points[i]);
      const alone = t - prior > line.gapMs;
      d += `${alone ? 'M' : line.step ? `H${fixed(x(t))}L` : 'L'}${fixed(x(t))} ${fixed(y(v))}`;
      const next = line.points[i + 1];
      if (line.step && !next) d += `H${fixed(x(END))}`;
      if (alone && (!next || next[0] - t > line.gapMs)) d += 'h1.5';
      prior = t;
    }
    return d;
  }

  /** @param {Track} track */
  function buildTrack(track) {
    // A line that never leaves zero is worth a look, and no more room than that.
    const flat = track.lines.every((line) => line.points.every((point) => point[1] === 0));
    const height = flat ? 44 : 112;
    addRow(`lines${flat ? ' flat' : ''}`, height, (head) => {
      node('b', '', head, track.title);
      if (track.unit) node('span', 'muted', head, ` ${track.unit}`);
      const legend = node('ul', 'legend', head);
      const values = track.lines.map((line) => {
        const item = node('li', '', legend);
        const key = svg('svg', { viewBox: '0 0 20 8', 'aria-hidden': 'true' }, item);
        svg('path', { class: `ln ln-${line.style}`, d: 'M0 4H20' }, key);
        node('span', '', item, line.name);
        return node('span', 'val', item);
      });
      return {
        draw(g) {
          backdrop(g, height);
          let top = 0;
          let bottom = 0;
          for (const line of track.lines)
            for (const [t, v] of line.points)
              if (t >= from && t <= to) {
                if (v > top) top = v;
                if (v < bottom) bottom = v;
              }
          const step = flat ? 1 : nice((top - bottom || 1) / 3);
          const ceiling = flat ? 1 : Math.max(Math.ceil(top / step) * step, bottom < 0 ? 0 : step);
          const floor = Math.floor(bottom / step) * step;
          const y = (/** @type {number} */ v) =>
            height - 6 - ((v - floor) / (ceiling - floor)) * (height - 22);
          for (let v = floor; v <= ceiling + step / 2; v += step)
            svg('line', { class: 'grid', x1: 0, x2: fixed(width), y1: fixed(y(v)), y2: fixed(y(v)) }, g);
          const every = timeStep();
          for (let t = Math.ceil(from / every) * every; t <= to; t += every)
            svg('line', { class: 'grid tick', x1: fixed(x(t)), x2: fixed(x(t)), y1: 0, y2: height }, g);
          for (const line of track.lines) svg('path', { class: `ln ln-${line.style}`, d: path(line, y) }, g);
          for (let v = floor; v <= ceiling + step / 2; v += step)
            svg(
              'text',
              { class: 'halo', x: 3, y: fixed(y(v) - 3) },
              g,
              short(Math.abs(v) < step / 1e6 ? 0 : v),
            );
        },
        read(t) {
          const said = track.lines.map((line, i) => {
            const point = t === null ? undefined : line.points[before(line.points, t)];
            const value = point && t !== null && t - point[0] <= line.gapMs ? short(point[1]) : '';
            /** @type {HTMLElement} */ (values[i]).textContent = value;
            return value && `${line.name} ${value}`;
          });
          const heard = said.filter(Boolean).join(', ');
          return heard && `${track.title}: ${heard} ${track.unit}`;
        },
      };
    });
  }

  /** Series that few readers need, on the same axis, closed at first. */
  function buildMore() {
    const more = data.tracks.filter((track) => track.more);
    if (more.length === 0) return;
    const group = /** @type {HTMLDetailsElement} */ (node('details', 'more', chart));
    node('summary', '', group, `More series (${more.length})`);
    into = group;
    for (const track of more) buildTrack(track);
    into = chart;
    group.addEventListener('toggle', draw);
  }

  function drawCursor() {
    for (const [i, row] of rows.entries()) {
      row.cursor?.remove();
      row.cursor = undefined;
      if (row.hidden()) continue;
      row.read(cursor);
      if (cursor === null || cursor < from || cursor > to) continue;
      const at = x(cursor);
      const g = svg('g', {}, row.svg);
      svg('line', { class: 'cursor', x1: fixed(at), x2: fixed(at), y1: i === 0 ? 18 : 0, y2: row.height }, g);
      if (i === 0) {
        const label = `${clock(cursor, 100)}`;
        const left = at + textWidth(label) + 12 > width ? at - textWidth(label) - 6 : at + 4;
        svg('text', { class: 'halo now', x: fixed(left), y: 26 }, g, label);
      }
      row.cursor = g;
    }
  }

  function draw() {
    width = Math.max(printWidth ?? axis().getBoundingClientRect().width, 50);
    for (const row of rows) {
      row.svg.replaceChildren();
      row.cursor = undefined;
      if (row.hidden()) continue;
      row.svg.setAttribute('viewBox', `0 0 ${fixed(width)} ${row.height}`);
      row.draw(svg('g', {}, row.svg));
    }
    drawCursor();
    chart.dataset.from = String(Math.round(from));
    chart.dataset.to = String(Math.round(to));
    for (const button of document.querySelectorAll('.controls .zoom-to, .controls [data-act=reset]')) {
      const el = /** @type {HTMLElement} */ (button);
      const [a, b] = el.dataset.act ? [0, END] : [Number(el.dataset.from), Number(el.dataset.to)];
      el.setAttribute('aria-pressed', String(Math.abs(from - a) < 1 && Math.abs(to - b) < 1));
    }
  }

  /** @param {number} a @param {number} b */
  function show(a, b) {
    const span = clamp(b - a, LEAST, END);
    const middle = (a + b) / 2;
    from = clamp(middle - span / 2, 0, END - span);
    to = from + span;
    draw();
  }
  /** Factor below 1 zooms in; `at` stays where it is. @param {number} factor @param {number} [at] */
  function zoom(factor, at = cursor ?? (from + to) / 2) {
    const span = clamp((to - from) * factor, LEAST, END);
    const share = clamp((at - from) / (to - from), 0, 1);
    show(at - span * share, at + span * (1 - share));
  }
  const pan = (/** @type {number} */ share) => {
    const move = clamp((to - from) * share, -from, END - to);
    show(from + move, to + move);
  };
  const say = () => {
    status.textContent =
      cursor === null
        ? `From ${clock(from, 1000)} to ${clock(to, 1000)}`
        : rows
            .filter((r) => !r.hidden())
            .map((r) => r.read(cursor))
            .filter(Boolean)
            .join('. ');
  };
  const timeAt = (/** @type {PointerEvent | WheelEvent} */ e) => {
    const box = axis().getBoundingClientRect();
    return clamp(from + ((e.clientX - box.left) / box.width) * (to - from), from, to);
  };

  const ACTS = /** @type {Record<string, () => void>} */ ({
    in: () => zoom(0.5),
    out: () => zoom(2),
    left: () => pan(-0.25),
    right: () => pan(0.25),
    reset: () => show(0, END),
  });

  function listen() {
    /** @type {{t: number, x: number, from: number, to: number, pan: boolean, moved: boolean} | null} */
    let drag = null;
    const clearSelection = () => {
      for (const el of chart.querySelectorAll('.select')) el.remove();
    };
    chart.addEventListener('pointerdown', (e) => {
      if (!(e.target instanceof Element) || !e.target.closest('.plot') || e.button > 1) return;
      const zoomed = to - from < END - 1;
      const asPan = e.shiftKey || e.button === 1 || (e.pointerType === 'touch' && zoomed);
      drag = { t: timeAt(e), x: e.clientX, from, to, pan: asPan, moved: false };
      chart.setPointerCapture(e.pointerId);
    });
    chart.addEventListener('pointermove', (e) => {
      if (!drag && !(e.target instanceof Element && e.target.closest('.plot'))) return;
      cursor = timeAt(e);
      if (drag && Math.abs(e.clientX - drag.x) > 4) drag.moved = true;
      if (drag?.moved && drag.pan) {
        const span = drag.to - drag.from;
        const start = clamp(drag.from - ((e.clientX - drag.x) / width) * span, 0, END - span);
        show(start, start + span);
        return;
      }
      drawCursor();
      if (drag?.moved) {
        clearSelection();
        const [a, b] = [x(drag.t), x(cursor)].sort((p, q) => p - q);
        for (const row of rows)
          svg(
            'rect',
            {
              class: 'select',
              x: fixed(/** @type {number} */ (a)),
              y: 0,
              width: fixed(Number(b) - Number(a)),
              height: row.height,
            },
            row.svg,
          );
      }
    });
    chart.addEventListener('pointerup', (e) => {
      const done = drag;
      drag = null;
      clearSelection();
      if (done?.moved && !done.pan) {
        const other = timeAt(e);
        show(Math.min(done.t, other), Math.max(done.t, other));
        say();
      }
    });
    chart.addEventListener('pointercancel', () => {
      drag = null;
      clearSelection();
    });
    chart.addEventListener('pointerleave', () => {
      if (drag) return;
      cursor = null;
      drawCursor();
    });
    chart.addEventListener('dblclick', () => show(0, END));
    chart.addEventListener(
      'wheel',
      (e) => {
        // Without a modifier the wheel scrolls the page: a chart that swallows it would hold the reader fast.
        if (e.ctrlKey || e.metaKey) {
          e.preventDefault();
          zoom(1.0015 ** e.deltaY, timeAt(e));
        } else if (Math.abs(e.deltaX) > Math.abs(e.deltaY) && to - from < END - 1) {
          e.preventDefault();
          pan(e.deltaX / width);
        }
      },
      { passive: false },
    );
    chart.addEventListener('keydown', (e) => {
      if (e.ctrlKey || e.metaKey || e.altKey) return;
      const move = (/** @type {number} */ way) => {
        if (e.shiftKey) pan(way * 0.25);
        else {
          cursor = clamp(
            (cursor ?? (from + to) / 2) + way * Math.max((to - from) / 60, data.bucketMs),
            0,
            END,
          );
          if (cursor < from || cursor > to) pan(way * 0.5);
          drawCursor();
        }
      };
      if (e.key === '+' || e.key === '=') ACTS.in?.();
      else if (e.key === '-' || e.key === '_') ACTS.out?.();
      else if (e.key === '0' || e.key === 'Home') ACTS.reset?.();
      else if (e.key === 'ArrowLeft') move(-1);
      else if (e.key === 'ArrowRight') move(1);
      else if (e.key === 'Escape') {
        cursor = null;
        drawCursor();
      } else return;
      e.preventDefault();
      say();
    });
    document.addEventListener('click', (e) => {
      if (!(e.target instanceof HTMLElement)) return;
      const button = e.target.closest('button');
      if (!button) return;
      if (button.dataset.act) ACTS[button.dataset.act]?.();
      else if (button.classList.contains('zoom-to')) {
        const [a, b] = [Number(button.dataset.from), Number(button.dataset.to)];
        // Inside the toolbar exactly that phase; from a table with some room around it.
        const room = button.closest('.controls') ? 0 : Math.max((b - a) * 0.15, 1000);
        show(a - room, b + room);
        if (!button.closest('.controls')) document.getElementById('timeline')?.scrollIntoView();
      } else if (button.classList.contains('copy')) copy(button);
    });
  }

  /** @param {HTMLElement} button */
  async function copy(button) {
    const code = button.parentElement?.querySelector('code');
    if (!code) return;
    try {
      await navigator.clipboard.writeText(code.textContent ?? '');
      button.textContent = 'Copied';
    } catch {
      getSelection()?.selectAllChildren(code);
      button.textContent = 'Selected';
    }
  }

  function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) {
      target.open = true;
      target.scrollIntoView();
    }
  }

  buildAxis();
  for (const lane of data.faults) buildLane(lane, 'fault');
  for (const lane of data.alerts) buildLane(lane, 'alert');
  buildMarks();
  for (const track of data.tracks) if (!track.more) buildTrack(track);
  buildMore();
  draw();
  listen();
  openTarget();
  addEventListener('hashchange', openTarget);
  new ResizeObserver(() => {
    if (printWidth === null && Math.abs(axis().getBoundingClientRect().width - width) > 0.5) draw();
  }).observe(chart);
  addEventListener('beforeprint', () => {
    printWidth = 690;
    draw();
  });
  addEventListener('afterprint', () => {
    printWidth = null;
    draw();
  });
})();
