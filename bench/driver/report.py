# SPDX-License-Identifier: MIT
"""Pages in Markdown, and bars as SVG: text, rectangles and lines, nothing else."""
import os
from xml.sax.saxutils import escape

# The same colour for a contestant on every page; others take what is left.
COLOURS = {"native": "#9a9a9a", "husk": "#1f6f8b", "qemu": "#edae49", "wasm": "#66a182", "husk interpreter": "#8fbfd0"}
MORE = ["#1f6f8b", "#8fbfd0", "#d1495b", "#8d6a9f"]


def number(value, digits=2):
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.{max(digits - 1, 0) if value >= 10 else digits}f}"


def table(head, lines):
    """Markdown; the first column is text, the others are numbers."""
    text = ["| " + " | ".join(head) + " |", "|---" + "|--:" * (len(head) - 1) + "|"]
    return "\n".join(text + ["| " + " | ".join(map(str, line)) + " |" for line in lines]) + "\n"


def notes(lines):
    return "".join(f"- {line}\n" for line in lines)


def bars(title, subtitle, groups, names, mark=None, unit="", cap=None, digits=2):
    """Horizontal bars. groups: [(label, [value or None for each name, or fewer])]; mark: a line at that value; cap: bars end there."""
    values = [value for _, series in groups for value in series if value]
    most = max(values, default=1)
    top = min(most, cap) if cap else most
    colours = [COLOURS.get(name, MORE[index % len(MORE)]) for index, name in enumerate(names)]
    subtitle += "; » goes on" if most > top else ""
    left, width, bar, gap, head = 150, 560, 11, 9, 74
    height = head + sum(len(series) * bar + gap for _, series in groups) + 20
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 90}" height="{height}" '
             f'viewBox="0 0 {left + width + 90} {height}" font-family="sans-serif" font-size="11">',
             f'<title>{escape(title)}</title>', '<rect width="100%" height="100%" fill="white"/>',
             f'<text x="10" y="20" font-size="15" font-weight="bold">{escape(title)}</text>',
             f'<text x="10" y="38" fill="#555">{escape(subtitle)}</text>']
    x = 10
    for index, name in enumerate(names):
        parts.append(f'<rect x="{x}" y="49" width="10" height="10" fill="{colours[index]}"/>'
                     f'<text x="{x + 14}" y="58">{escape(name)}</text>')
        x += 30 + 7 * len(name)
    y = head
    for label, series in groups:
        middle = y + len(series) * bar / 2 + 4
        parts.append(f'<text x="{left - 8}" y="{middle:.0f}" text-anchor="end">{escape(label)}</text>')
        for index, value in enumerate(series):
            at = y + index * bar
            if value is None:
                parts.append(f'<text x="{left + 4}" y="{at + 9}" font-size="9" fill="#888">-</text>')
                continue
            length = max(1.0, min(value, top) / top * width)
            cut = " »" if value > top else ""
            parts.append(f'<rect x="{left}" y="{at}" width="{length:.1f}" height="{bar - 1}" '
                         f'fill="{colours[index]}"/>'
                         f'<text x="{left + length + 4:.1f}" y="{at + 9}" font-size="9">'
                         f'{number(value, digits)}{unit}{cut}</text>')
        y += len(series) * bar + gap
    if mark and mark <= top:
        x = left + mark / top * width
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{head - 4}" y2="{y}" stroke="#000" stroke-dasharray="3 3"/>')
    return "\n".join(parts + ["</svg>"]) + "\n"


def write(folder, name, text):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)
