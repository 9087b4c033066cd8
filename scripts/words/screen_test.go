package words

import (
	"bytes"
	"fmt"
	"testing"
)

// Sentences end where the screen does; commands and words stay whole, and what is no screen is left alone.
func TestASentenceEndsWhereTheScreenDoes(t *testing.T) {
	env := func(columns string) func(string) string {
		return func(name string) string {
			if name == "COLUMNS" {
				return columns
			}
			return ""
		}
	}
	said := "Makes an access key for \x1b[1mthe uploader\x1b[0m NAME, and writes it:\n  scripts/issue-key vm-01 -o - | ssh vm-01\narn:aws:iam::111122223333:user/buzon/vm-01 es así\n        what it means, in words"
	for columns, want := range map[string]string{
		"":   said + "\n",
		"30": "Makes an access key for \x1b[1mthe\nuploader\x1b[0m NAME, and writes it:\n  scripts/issue-key vm-01 -o - | ssh vm-01\narn:aws:iam::111122223333:user/buzon/vm-01\nes así\n        what it means, in\n        words\n",
	} {
		var b bytes.Buffer
		n, err := fmt.Fprintln(Screen(&b, env(columns)), said)
		if err != nil || n != len(said)+1 || b.String() != want {
			t.Errorf("%q columns: %d, %v\n%s", columns, n, err, b.String())
		}
	}
}
