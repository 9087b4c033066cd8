package courier

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"

	"buzon/agent/internal/send/journal"
)

func TestKeys(t *testing.T) {
	src := Source{
		Rel: "in/voice.tar.gz", MTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 2*3600)), Host: "vm-01", Outbox: "out",
		SHA256: strings.Repeat("abcdef0123456789", 4),
	}
	for _, c := range []struct {
		template, rel, want string
		err                 error
	}{
		{template: "", want: "p/in/voice.tar.gz"},
		{template: "{path}", want: "p/in/voice.tar.gz"},
		{template: "{host}/{outbox}/{name}{ext}", want: "p/vm-01/out/voice.tar.gz"},
		{template: "{name}", want: "p/voice.tar"},
		{template: "{yyyy}/{mm}/{dd}/{hh}/{path}", want: "p/2026/01/02/01/in/voice.tar.gz"}, // UTC, not the file's zone
		{template: "{sha256}", want: "p/" + strings.Repeat("abcdef0123456789", 4)},
		{template: "x-{sha256:12}{ext}", want: "p/x-abcdef012345.gz"},
		{template: "{name}{ext}", rel: ".profile", want: "p/.profile"},
		{template: "{path}", rel: "..%2f", want: "p/..%2f"},
		{template: "{path}", rel: "a/../b", err: errKeyEscapes},
		{template: "../{path}", err: errKeyEscapes},
		{template: "/{path}", err: errKeyEscapes},
		{template: "a/./{path}", err: errKeyEscapes},
		{template: "a//{path}", err: errKeyEscapes},
		{template: "{path}/", err: errKeyEscapes},
		{template: "{path}{sha256:1}//x", err: errKeyEscapes},
		{template: "{ext}/{name}", want: "p/.gz/voice.tar"},
		{template: "{ext}/{name}", rel: "no-extension", err: errKeyEscapes},
		{template: "{name}/{ext}", rel: "in/no-extension", err: errKeyEscapes},
		{template: "a/{ext}{ext}/{name}", rel: "no-extension", err: errKeyEscapes},
		{template: "a{ext}/{name}", rel: "no-extension", want: "p/a/no-extension"},
		{template: "{path}", rel: "a//b", err: errKeyEscapes},
		{template: "{path}", rel: ".buzon/canary", err: errKeyReserved},
		{template: ".buzon/{path}", err: errKeyReserved},
		{template: "{path}", rel: ".buzon-of-mine", want: "p/.buzon-of-mine"},
		{template: "{path}", rel: "bad\xff", err: errNameEncoding},
		{template: "fixed", rel: "bad\xff", err: errNameEncoding},
		{template: "{path}", rel: strings.Repeat("n", 1022), want: "p/" + strings.Repeat("n", 1022)},
		{template: "{path}", rel: strings.Repeat("n", 1023), err: errKeyTooLong},
	} {
		s := src
		if c.rel != "" {
			s.Rel = c.rel
		}
		tmpl, err := ParseTemplate(c.template)
		if err == nil {
			var got string
			if got, err = tmpl.Key("p/", s); err == nil && got != c.want {
				t.Errorf("%q of %q: %q, want %q", c.template, s.Rel, got, c.want)
			}
		}
		if !errors.Is(err, c.err) || c.err == nil && err != nil {
			t.Errorf("%q of %q: error %v, want %v", c.template, s.Rel, err, c.err)
		}
	}
	for _, bad := range []string{"{", "}", "a}b", "{path", "{nothing}", "{path:3}", "{sha256:0}", "{sha256:65}", "{sha256:x}", "{}", "{{path}}"} {
		if _, err := ParseTemplate(bad); err == nil {
			t.Errorf("%q is taken for a template", bad)
		}
	}
}

// checkKey holds any key to what must be true of all: it is S3's to take, and never leaves the prefix.
func checkKey(t interface{ Errorf(string, ...any) }, prefix, key string) {
	inner, ok := strings.CutPrefix(key, prefix)
	switch {
	case !ok || inner == "" || inner[0] == '/':
		t.Errorf("%q is not under %q", key, prefix)
	case len(key) > 1024 || !utf8.ValidString(key):
		t.Errorf("%q is none that S3 takes", key)
	case inner == ".buzon" || strings.HasPrefix(inner, ".buzon/"):
		t.Errorf("%q is Buzón's own", key)
	}
	for part := range strings.SplitSeq(inner, "/") {
		if part == "" || part == "." || part == ".." {
			t.Errorf("%q has a part “%s”", key, part)
		}
	}
}

// Only a key that holds the SHA-256 is worth a second pass over the file, and only the whole of it proves anything.
func TestOnlyAKeyWithTheSHA256NeedsTheContent(t *testing.T) {
	for text, want := range map[string]Template{
		"": {}, "{path}": {}, "{outbox}/{host}/{yyyy}-{mm}-{dd}T{hh}/{name}{ext}": {},
		"{name}-{sha256:12}{ext}": {Content: true}, "{sha256:64}": {Content: true, Proof: true}, "{path}/{sha256}": {Content: true, Proof: true},
	} {
		got, err := ParseTemplate(text)
		if err != nil || got.Content != want.Content || got.Proof != want.Proof {
			t.Errorf("%q: content %v, proof %v, %v", text, got.Content, got.Proof, err)
		}
	}
}

func FuzzKeyStaysUnderThePrefix(f *testing.F) {
	f.Add("{path}", "a/b.txt", "vm", "out", int64(0))
	f.Add("{host}/{yyyy}{name}-{sha256:3}{ext}", "../x", "..", ".buzon", int64(1e18))
	f.Add("{outbox}/{path}", "\xff", "/", "..", int64(-1e18))
	f.Fuzz(func(t *testing.T, template, rel, host, outbox string, at int64) {
		tmpl, err := ParseTemplate(template)
		if err != nil {
			return
		}
		key, err := tmpl.Key("up/", Source{Rel: rel, MTime: time.Unix(0, at), Host: host, Outbox: outbox, SHA256: zeros})
		if err != nil {
			return
		}
		checkKey(t, "up/", key)
		checkKey(t, "up/", Suffixed(key, journal.Identity{Sec: at / 1e9}, uint64(at)))
	})
}

func TestASuffixIsTheVersions(t *testing.T) {
	id := journal.Identity{Sec: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Unix()}
	for key, want := range map[string]string{
		"p/a.txt":    "p/a.~20260102T030405Z-0123abcd.txt",
		"p/a.tar.gz": "p/a.tar.~20260102T030405Z-0123abcd.gz",
		"p/a":        "p/a.~20260102T030405Z-0123abcd",
		"p/.a":       "p/.a.~20260102T030405Z-0123abcd",
		"p/x.d/a":    "p/x.d/a.~20260102T030405Z-0123abcd",
	} {
		if got := Suffixed(key, id, 0x0123abcd_99999999); got != want {
			t.Errorf("%s: %s, want %s", key, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringOfN(rapid.RuneFrom([]rune("aé🦉.~-")), 1, 400, 400)
		key := "up/" + strings.Join(rapid.SliceOfN(part, 1, 3).Draw(t, "parts"), "/")
		if len(key) > 1024 || strings.Contains(key+"/", "/./") || strings.Contains(key+"/", "/../") {
			t.Skip("no key")
		}
		crc := rapid.Uint64().Draw(t, "crc")
		got := Suffixed(key, id, crc)
		checkKey(t, "up/", got)
		if got == key {
			t.Errorf("the suffixed key is the key itself")
		}
		if again := Suffixed(key, id, crc); again != got {
			t.Errorf("the same version gets %q and %q", got, again)
		}
		if other := Suffixed(key, id, crc^1<<40); other == got {
			t.Errorf("another content gets the same %q", got)
		}
	})
}
