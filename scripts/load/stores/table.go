package stores

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
)

// words are the table's, by language.
var words = map[string]map[string]string{
	"en": {
		"head": "what", "yes": "yes", "user": "a user that may only write", "gate": "`agent check` passes, twice", "files": "files with odd names, an empty one among them", "again": "sending again sends nothing",
		"parts": "40 MiB in parts", "killed": "killed in the middle, and gone on", "vanished": "an unfinished upload that the store forgot is begun anew", "conflict": "somebody else's objects are kept, small and in parts", "long": "a name of 250 bytes",
		"wrong-key": "a wrong key is told", "receipts": "receipts match, with a reader's key", "leftover": "unfinished uploads that stay",
	},
	"es": {
		"head": "qué", "yes": "sí", "user": "un usuario que solo puede escribir", "gate": "`agent check` se supera, dos veces", "files": "archivos con nombres raros, uno vacío entre ellos", "again": "enviar otra vez no envía nada",
		"parts": "40 MiB en partes", "killed": "terminado a la mitad y continuado", "vanished": "una subida sin terminar que el almacén olvidó empieza de nuevo", "conflict": "los objetos de otros se conservan, pequeños y en partes", "long": "un nombre de 250 bytes",
		"wrong-key": "se dice que la clave no vale", "receipts": "los recibos coinciden, con una clave de lectura", "leftover": "subidas sin terminar que quedan",
	},
}

// The table stands between these lines.
const (
	tableBegins = "<!-- measured: scripts/stores -->\n"
	tableEnds   = "<!-- end of what was measured -->"
)

var errNoPlace = errors.New("there is no place for the table")

// writeTable puts the results into a page.
func writeTable(page, lang string, results map[string]map[string]string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(text), tableBegins)
	_, after, ends := strings.Cut(rest, tableEnds)
	if !ok || !ends {
		return fmt.Errorf("%s: %w", page, errNoPlace)
	}
	return os.WriteFile(page, []byte(before+tableBegins+table(lang, results)+tableEnds+after), 0o644) //nolint:gosec // a page of the docs
}

// table is what was measured: a column for each store, a row for each step.
func table(lang string, results map[string]map[string]string) string {
	var b strings.Builder
	said := words[lang]
	b.WriteString("| " + said["head"] + " |")
	rule := "|---|"
	for _, store := range Stores {
		if results[store.Name] != nil {
			fmt.Fprintf(&b, " %s %s |", store.Name, short(store.Version))
			rule += "---|"
		}
	}
	b.WriteString("\n" + rule + "\n")
	for _, step := range Steps {
		b.WriteString("| " + said[step.Name] + " |")
		for _, store := range Stores {
			if told := results[store.Name]; told != nil {
				result := cmp.Or(told[step.Name], "–")
				if result == "yes" {
					result = said["yes"]
				}
				b.WriteString(" " + strings.ReplaceAll(result, "|", "/") + " |")
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

// short is a version as people write it.
func short(version string) string {
	if at, ok := strings.CutPrefix(version, "v0.0.0-"); ok && len(at) > 8 {
		return at[:4] + "-" + at[4:6] + "-" + at[6:8]
	}
	return version
}
