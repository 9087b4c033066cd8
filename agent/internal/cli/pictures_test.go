package cli

import (
	"bytes"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"buzon/agent/internal/locale"
)

// TestPicturesAreTheCodes holds the pictures of the pages to what is drawn here, the audit's to what the program
// prints. BUZON_WRITE_DOCS=1 go test ./agent/internal/cli -run TestPictures draws them again.
func TestPicturesAreTheCodes(t *testing.T) {
	folder, err := filepath.Abs(filepath.Join(docs, "pictures"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir()) // the audit's picture names a file without its folder
	for i, lang := range locale.Languages {
		for name, picture := range map[string]string{
			"slot": slotPicture(i), "file": flowPicture(i, fileFlow), "policy": flowPicture(i, policyFlow), "audit": auditPicture(t, lang),
		} {
			path := filepath.Join(folder, name+"."+lang+".svg")
			now, err := os.ReadFile(path)
			if err == nil && string(now) == picture {
				continue
			}
			if os.Getenv("BUZON_WRITE_DOCS") == "" {
				t.Errorf("%s isn't what is drawn now.\nBUZON_WRITE_DOCS=1 go test ./agent/internal/cli -run TestPictures", path)
			} else if err := os.WriteFile(path, []byte(picture), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// style is that of the drawings, in light and dark.
const style = `<style>
text { font: 14px system-ui, sans-serif; fill: #1f2328 } .small { font-size: 12px; fill: #59636e } .bold { font-weight: 600 }
.box { fill: #f6f8fa; stroke: #59636e } .stop { fill: #fff1f0; stroke: #cf222e } .line { stroke: #59636e; fill: none; stroke-width: 1.5 } .no { stroke: #cf222e }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .small { fill: #9198a1 } .box { fill: #151b23; stroke: #9198a1 } .stop { fill: #25171c; stroke: #f85149 }
.line { stroke: #9198a1 } .no { stroke: #f85149 } }
</style>
<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#59636e"/></marker></defs>
`

func svg(width, height int, title, body string) string {
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"%s\">\n<title>%s</title>\n%s</svg>\n",
		width, height, width, height, html.EscapeString(title), html.EscapeString(title), body)
}

func svgText(x, y int, class, anchor, text string) string {
	return fmt.Sprintf("<text x=\"%d\" y=\"%d\" class=\"%s\" text-anchor=\"%s\">%s</text>\n", x, y, class, anchor, html.EscapeString(text))
}

func svgBox(x, y, w, h int, class string) string {
	return fmt.Sprintf("<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\" class=\"%s\"/>\n", x, y, w, h, class)
}

func svgArrow(class string, x1, y1, x2, y2 int) string {
	return fmt.Sprintf("<path d=\"M%d,%d L%d,%d\" class=\"line %s\" marker-end=\"url(#tip)\"/>\n", x1, y1, x2, y2, class)
}

// words are a text in English and in Spanish.
type words [2]string

// step is a box of a flow, with where it leads if it isn't passed.
type step struct {
	name, note words
	room       string
	otherwise  words
}

type flow struct {
	title words
	steps []step
}

var fileFlow = flow{words{"How a file travels", "Cómo viaja un archivo"}, []step{
	{words{"A file appears in an outbox", "Aparece un archivo en una bandeja de salida"}, words{"complete: nobody writes it, inside the folder, no link", "completo: nadie lo escribe, dentro de la carpeta, sin enlaces"}, "outbox", words{"not yet: it is looked at again", "aún no: se vuelve a mirar"}},
	{words{"pending", "pendiente"}, words{"durable in the journal", "duradero en el diario"}, "journal", words{}},
	{words{"The gate", "El control"}, words{"key found, valid, expected, write-only", "clave hallada, válida, esperada, que solo escribe"}, "gate", words{"nothing is sent, nothing is lost", "no se envía nada, no se pierde nada"}},
	{words{"sending", "enviando"}, words{"the attempt is durable before the request leaves", "el intento es duradero antes de que salga la solicitud"}, "journal", words{}},
	{words{"PUT, If-None-Match: *", "PUT, If-None-Match: *"}, words{"CRC-64/NVME over the whole; the file is looked at again", "CRC-64/NVME del total; se vuelve a mirar el archivo"}, "upload", words{"no answer: again. It changed: broken off", "sin respuesta: otra vez. Cambió: se interrumpe"}},
	{words{"What follows?", "¿Qué sigue?"}, words{"one table decides, by class of answer and state", "decide una tabla, por clase de respuesta y estado"}, "courier", words{"the file's own fault: quarantine, with its reason", "culpa del archivo: cuarentena, con su motivo"}},
	{words{"sent", "enviado"}, words{"the receipt is durable", "el recibo es duradero"}, "journal", words{}},
	{words{"settled: keep, move or delete", "asentado: se queda, se mueve o se borra"}, words{"only if the file is still the one that was sent", "solo si el archivo sigue siendo el que se envió"}, "courier", words{}},
}}

var policyFlow = flow{words{"How a policy is judged", "Cómo se juzga una política"}, []step{
	{words{"Documents", "Documentos"}, words{"live IAM, templates, plans, exports, files", "IAM en vivo, plantillas, planes, exportaciones, archivos"}, "sources", words{"malformed: exit 2, with line and column", "mal formado: código 2, con línea y columna"}},
	{words{"What ends in Allow?", "¿Qué termina en Allow?"}, words{"for every action, all resources and contexts at once", "por cada acción, todos los recursos y contextos a la vez"}, "reach", words{"not known: undecided, never safe", "no se sabe: undecided, nunca seguro"}},
	{words{"Does it break a rule?", "¿Incumple una regla?"}, words{"anything but PutObject under the prefix", "todo lo que no sea PutObject bajo el prefijo"}, "audit", words{}},
	{words{"A witness", "Un testigo"}, words{"one concrete request that would be allowed", "una solicitud concreta que se permitiría"}, "audit", words{}},
	{words{"Judged again", "Se juzga otra vez"}, words{"by a second evaluator, written apart", "por un segundo evaluador, escrito aparte"}, "decide", words{"they disagree: undecided", "no concuerdan: undecided"}},
	{words{"Verdict, report, exit code", "Veredicto, informe, código"}, words{"what was not read stands in it as an assumption", "lo que no se leyó figura como supuesto"}, "report", words{}},
}}

// flowPicture draws a flow from top to bottom; what happens otherwise stands at the right.
func flowPicture(lang int, f flow) string {
	const width, left, boxWidth, boxHeight, gap = 860, 100, 400, 52, 22
	var b strings.Builder
	b.WriteString(style + svgText(left, 26, "bold", "start", f.title[lang]))
	y := 44
	for i, s := range f.steps {
		b.WriteString(svgText(left-12, y+31, "small", "end", s.room))
		b.WriteString(svgBox(left, y, boxWidth, boxHeight, "box"))
		b.WriteString(svgText(left+14, y+22, "bold", "start", s.name[lang]))
		b.WriteString(svgText(left+14, y+41, "small", "start", s.note[lang]))
		if text := s.otherwise[lang]; text != "" {
			b.WriteString(svgArrow("no", left+boxWidth, y+boxHeight/2, left+boxWidth+26, y+boxHeight/2))
			b.WriteString(svgBox(left+boxWidth+30, y+8, width-left-boxWidth-36, boxHeight-16, "stop"))
			b.WriteString(svgText(left+boxWidth+40, y+31, "small", "start", text))
		}
		if i < len(f.steps)-1 {
			b.WriteString(svgArrow("", left+boxWidth/2, y+boxHeight, left+boxWidth/2, y+boxHeight+gap-2))
		}
		y += boxHeight + gap
	}
	return svg(width, y, f.title[lang], b.String())
}

// slotPicture draws what the name means: letters go in, and nothing comes out.
func slotPicture(lang int) string {
	label := [2][7]string{
		{"Buzón: files go in through the slot, and nothing comes out", "VM", "a key that can only write", "bucket", "uploads/vm-01/", "read, list, delete, replace: refused", "reader, with a key of their own"},
		{"Buzón: los archivos entran por la ranura y no sale nada", "VM", "una clave que solo puede escribir", "bucket", "uploads/vm-01/", "leer, listar, borrar, reemplazar: rechazado", "quien lee, con otra clave"},
	}[lang]
	var b strings.Builder
	b.WriteString(style)
	b.WriteString(svgBox(20, 60, 150, 110, "box") + svgText(95, 86, "bold", "middle", label[1]))
	for i, name := range []string{"report.csv", "photo.jpg"} {
		b.WriteString(svgBox(45, 98+i*32, 100, 24, "box") + svgText(95, 114+i*32, "small", "middle", name))
	}
	b.WriteString(svgArrow("", 170, 100, 398, 100) + svgText(284, 90, "small", "middle", label[2]) + svgText(284, 120, "small", "middle", "s3:PutObject"))
	b.WriteString(svgArrow("no", 398, 150, 182, 150) + "<path d=\"M278,140 l20,20 m0,-20 l-20,20\" class=\"line no\"/>\n" + svgText(290, 182, "small", "middle", label[5]))
	b.WriteString("<path d=\"M400,180 V80 a60,50 0 0 1 60,-50 H600 V180 z\" class=\"box\"/>\n<rect x=\"400\" y=\"94\" width=\"44\" height=\"12\" class=\"line\"/>\n")
	b.WriteString(svgText(510, 76, "bold", "middle", label[3]) + svgText(510, 104, "small", "middle", label[4]) + svgText(510, 132, "small", "middle", "report.csv  photo.jpg"))
	b.WriteString("<path d=\"M490,180 v40 m20,-40 v40\" class=\"line\"/>\n")
	b.WriteString(svgArrow("", 600, 110, 668, 110) + svgText(676, 106, "small", "start", strings.Split(label[6], ", ")[0]+",") + svgText(676, 124, "small", "start", strings.Split(label[6], ", ")[1]))
	return svg(850, 230, label[0], b.String())
}

// fullAccess is AmazonS3FullAccess, as AWS publishes it.
const fullAccess = `{
  "Version": "2012-10-17",
  "Statement": [
    {
      "Effect": "Allow",
      "Action": [
        "s3:*",
        "s3-object-lambda:*"
      ],
      "Resource": "*"
    }
  ]
}
`

var (
	whenLine = regexp.MustCompile(`(?m)^\S*(When|Cuándo)\S* .*\n`)
	toolLine = regexp.MustCompile(`agent (devel\S*|v?\d\S*), `)
	paint    = regexp.MustCompile("\x1b\\[([0-9;]*)m")
)

// auditPicture is what the audit of AmazonS3FullAccess prints, up to how the errors are fixed.
func auditPicture(t *testing.T, lang string) string {
	t.Helper()
	if err := os.WriteFile("AmazonS3FullAccess.json", []byte(fullAccess), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	args := []string{"audit-policy", "--identity-policy", "AmazonS3FullAccess.json", "--principal", "arn:aws:iam::111122223333:user/vm-01",
		"--bucket", "acme-uploads", "--prefix", "uploads/vm-01/"}
	env := []string{"COLUMNS=88", "LANG=" + lang + ".UTF-8", "NO_COLOR="}
	code := Main(t.Context(), append(args, "--color", "always"), strings.NewReader(""), &out, &errs, env)
	if code != 1 {
		t.Fatalf("the audit ends with %d\n%s%s", code, out.String(), errs.String())
	}
	text := strings.ReplaceAll(out.String(), " --color always", "")
	text = toolLine.ReplaceAllString(whenLine.ReplaceAllString(text, ""), "agent, ")
	end := strings.Index(text, "outlives-key")
	if end < 0 {
		t.Fatal(text)
	}
	text = strings.TrimRight(text[:strings.LastIndex(text[:end], "\n")], "\n")
	return drawScreen("agent "+strings.Join(args, " "), text)
}

// drawScreen draws what a program prints on a screen, with its colours.
func drawScreen(command, text string) string {
	const letter, line = 8.43, 19
	colours := map[string]string{"31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "2": "#9198a1"}
	var b strings.Builder
	lines := strings.Split(text, "\n")
	b.WriteString("<style>text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #e6edf3; white-space: pre }</style>\n")
	most := 0
	for i, l := range lines {
		most = max(most, utf8.RuneCountInString(paint.ReplaceAllString(l, "")))
		if strings.TrimSpace(l) == "" {
			continue
		}
		fmt.Fprintf(&b, "<text x=\"16\" y=\"%d\" xml:space=\"preserve\">", 30+i*line)
		fill, weight := "", ""
		for l != "" {
			at := paint.FindStringSubmatchIndex(l)
			piece, code := l, ""
			if at != nil {
				piece, code, l = l[:at[0]], l[at[2]:at[3]], l[at[1]:]
			} else {
				l = ""
			}
			if piece != "" {
				fmt.Fprintf(&b, "<tspan%s%s>%s</tspan>", fill, weight, html.EscapeString(piece))
			}
			switch {
			case code == "0" || code == "":
				fill, weight = "", ""
			case code == "1":
				weight = ` font-weight="700"`
			case colours[code] != "":
				fill = ` fill="` + colours[code] + `"`
			}
		}
		b.WriteString("</text>\n")
	}
	w, h := int(float64(min(most, 100))*letter)+32, len(lines)*line+30
	back := fmt.Sprintf("<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#0d1117\"/>\n", w, h)
	return svg(w, h, command, back+b.String())
}
