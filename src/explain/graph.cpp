// --graph FILE: the dependencies as a page that needs nothing else: boxes in rows by distance from
// the program, and lines between them.
#include <prelude/base/string.h>

#include "answers.h"

namespace prelude::explain {
namespace {

constexpr uint32_t kBoxWidth = 190, kBoxHeight = 26, kGapX = 20, kGapY = 64, kEdge = 20;

struct Node {
  const Module* module;
  uint32_t row, column;
};

// Text inside HTML and attributes.
void put_html(Writer& out, const char* text) {
  for (; text != nullptr && *text != 0; ++text) switch (*text) {
      case '&':
        out.put("&amp;");
        break;
      case '<':
        out.put("&lt;");
        break;
      case '>':
        out.put("&gt;");
        break;
      case '"':
        out.put("&quot;");
        break;
      default:
        out.escaped({text, 1});
    }
}

class Graph {
 public:
  explicit Graph(Answer& answer) : heap_(answer.linker.heap) {
    for (const Module* module = answer.first(); module != nullptr; module = module->next)
      (void)nodes_.push(heap_, {module, 0, 0});
    find_rows();
    find_columns();
  }
  ~Graph() { nodes_.release(heap_); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void write_page(Writer& out) const {
    const uint32_t width = 2 * kEdge + widest_ * (kBoxWidth + kGapX);
    const uint32_t height = 2 * kEdge + rows_ * (kBoxHeight + kGapY);
    out.put("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>");
    put_html(out, nodes_.empty() ? "" : nodes_[0].module->path);
    out.put(
        "</title><style>\n"
        "body { font: 12px sans-serif } rect { fill: #eef; stroke: #88a }\n"
        "line { stroke: #999 } .on rect { fill: #fd9 } line.on { stroke: #c60; stroke-width: 2 }\n"
        "</style></head><body>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"");
    out.decimal(width).put("\" height=\"").decimal(height).put("\">\n");
    each_edge(&Graph::write_line, out);
    for (size_t i = 0; i < nodes_.size(); ++i) write_box(out, i);
    out.put(
        "</svg>\n<script>\n"
        "for (const box of document.querySelectorAll('g')) for (const on of [true, false])\n"
        "  box.addEventListener(on ? 'mouseenter' : 'mouseleave', () => {\n"
        "    box.classList.toggle('on', on);\n"
        "    for (const line of document.querySelectorAll(`line[data-a=\"${box.id}\"], "
        "line[data-b=\"${box.id}\"]`))\n"
        "      line.classList.toggle('on', on);\n"
        "  });\n"
        "</script></body></html>\n");
  }

  void write_json(Writer& out) const {
    report::Json json(out);
    json.object().array("nodes");
    for (const Node& node : nodes_)
      json.object()
          .text("path", node.module->path)
          .text("soname", node.module->image.soname)
          .number("depth", node.row)
          .close();
    json.close().array("edges");
    for (size_t i = 0; i < nodes_.size(); ++i)
      for (const Module* needed : nodes_[i].module->needed)
        json.object().number("from", i).number("to", index_of(needed)).close();
    json.close().close();
  }

 private:
  [[nodiscard]] size_t index_of(const Module* module) const {
    size_t i = 0;
    while (i < nodes_.size() && nodes_[i].module != module) ++i;
    return i;
  }

  // The distance from the program: breadth first, as the list nearly is already.
  void find_rows() {
    for (size_t i = 1; i < nodes_.size(); ++i) nodes_[i].row = UINT32_MAX;
    for (bool changed = true; changed;) {
      changed = false;
      for (const Node& node : nodes_)
        if (node.row != UINT32_MAX)
          for (const Module* needed : node.module->needed) {
            Node& other = nodes_[index_of(needed)];
            if (other.row <= node.row + 1) continue;
            other.row = node.row + 1;
            changed = true;
          }
    }
    for (Node& node : nodes_)
      if (node.row == UINT32_MAX) node.row = 1;  // nobody's need: preloads, the vdso
  }

  void find_columns() {
    for (Node& node : nodes_) {
      for (const Node& other : nodes_) {
        if (&other == &node) break;
        if (other.row == node.row) ++node.column;
      }
      if (node.column >= widest_) widest_ = node.column + 1;
      if (node.row >= rows_) rows_ = node.row + 1;
    }
  }

  static uint32_t left(const Node& node) { return kEdge + node.column * (kBoxWidth + kGapX); }
  static uint32_t top(const Node& node) { return kEdge + node.row * (kBoxHeight + kGapY); }

  void each_edge(void (Graph::*write)(Writer&, size_t, size_t) const, Writer& out) const {
    for (size_t i = 0; i < nodes_.size(); ++i)
      for (const Module* needed : nodes_[i].module->needed)
        if (const size_t to = index_of(needed); to != nodes_.size()) (this->*write)(out, i, to);
  }

  void write_line(Writer& out, size_t from, size_t to) const {
    const Node &a = nodes_[from], &b = nodes_[to];
    out.put("<line data-a=\"n").decimal(from).put("\" data-b=\"n").decimal(to);
    out.put("\" x1=\"").decimal(left(a) + kBoxWidth / 2);
    out.put("\" y1=\"").decimal(top(a) + (b.row > a.row ? kBoxHeight : 0));
    out.put("\" x2=\"").decimal(left(b) + kBoxWidth / 2);
    out.put("\" y2=\"").decimal(top(b) + (b.row > a.row ? 0 : kBoxHeight)).put("\"/>\n");
  }

  void write_box(Writer& out, size_t at) const {
    const Node& node = nodes_[at];
    out.put("<g id=\"n").decimal(at).put("\"><title>");
    put_html(out, node.module->path);
    out.put("</title><rect rx=\"4\" x=\"").decimal(left(node)).put("\" y=\"").decimal(top(node));
    out.put("\" width=\"").decimal(kBoxWidth).put("\" height=\"").decimal(kBoxHeight);
    out.put("\"/><text text-anchor=\"middle\" x=\"").decimal(left(node) + kBoxWidth / 2);
    out.put("\" y=\"").decimal(top(node) + kBoxHeight * 2 / 3).put("\">");
    put_html(out, base_name(node.module->path));
    out.put("</text></g>\n");
  }

  Heap& heap_;
  Array<Node> nodes_;
  uint32_t widest_ = 1, rows_ = 1;
};

}  // namespace

int draw_graph(Answer& answer) {
  const char* path = answer.options.question_argument;
  const auto file = sys::create_file(path);
  if (!file) {
    answer.say("cannot create ", path).put(": error ").signed_decimal(sys::raw(file.error()));
    answer.out.put('\n');
    return kNothingMeant;
  }
  int fd = *file;
  char buffer[4096];
  Writer out(buffer, sizeof buffer, sys::to_descriptor, &fd);
  const Graph graph(answer);
  if (answer.as_json())
    graph.write_json(out);
  else
    graph.write_page(out);
  out.flush();
  sys::close(fd);
  answer.name(path).put(" written\n");
  return kAnswered;
}

}  // namespace prelude::explain
