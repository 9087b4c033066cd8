package report

import (
	_ "embed"
	"io"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// pageCSS is the style that all pages share: colours in light, in dark and on paper, and letters.
//
//go:embed page.css
var pageCSS string

// writePage writes a page that needs nothing else: no network, no font, no script. gomponents escapes every text and every
// value of an attribute. html/template would too, but it calls methods by name, so that the linker keeps every exported
// method of the program: 11 MB more.
func writePage(w io.Writer, lang, title, style string, body ...g.Node) error {
	return h.Doctype(h.HTML(h.Lang(lang),
		h.Head(
			h.Meta(h.Charset("utf-8")),
			h.Meta(h.Name("viewport"), h.Content("width=device-width, initial-scale=1")),
			h.Meta(g.Attr("http-equiv", "Content-Security-Policy"), h.Content("default-src 'none'; style-src 'unsafe-inline'")),
			h.Meta(h.Name("color-scheme"), h.Content("light dark")),
			h.TitleEl(g.Text(title)),
			h.StyleEl(g.Raw(pageCSS), g.Raw(style)),
		),
		h.Body(body...),
	)).Render(w)
}

// paragraphs are the texts that aren't empty, each in a paragraph.
func paragraphs(class string, texts ...string) g.Node {
	return g.Map(texts, func(text string) g.Node {
		if text == "" {
			return nil
		}
		return h.P(g.If(class != "", h.Class(class)), g.Text(text))
	})
}

// heads are the heads of a table's columns.
func heads(texts ...string) g.Node {
	return h.THead(h.Tr(g.Map(texts, func(text string) g.Node { return h.Th(h.Scope("col"), g.Text(text)) })))
}
