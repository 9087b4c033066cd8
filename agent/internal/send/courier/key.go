package courier

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"buzon/agent/internal/send/journal"
)

// maxKey is the longest key in bytes (S3 User Guide, "Naming Amazon S3 objects").
const maxKey = 1024

// reserved is the part of every prefix that is Buzón's own: the canary lives there.
const reserved = ".buzon"

// Template makes keys. The zero value is "{path}".
type Template struct {
	parts []piece
	// Content says that a key can only be made after the file was read: it holds its SHA-256.
	Content bool
	// Proof says that the key holds the whole SHA-256, so that an object at it can only be this file's content.
	Proof bool
}

// piece is literal text, or a placeholder with how many of its characters are taken.
type piece struct {
	text string
	name string
	cut  int
}

// ParseTemplate reads a key template: text with {path} {name} {ext} {host} {outbox} {yyyy} {mm} {dd} {hh} {sha256}
// {sha256:12}. {name} is the file's name without its extension, {ext} the extension with its dot; times are those of
// the file's modification in UTC. An error is a fault of the template itself.
func ParseTemplate(text string) (*Template, error) {
	t := &Template{}
	for rest := text; rest != ""; {
		literal, after, found := strings.Cut(rest, "{")
		if strings.Contains(literal, "}") {
			return nil, errors.New("key template: a } without its {")
		}
		if literal != "" {
			t.parts = append(t.parts, piece{text: literal})
		}
		if !found {
			break
		}
		name, next, closed := strings.Cut(after, "}")
		if !closed {
			return nil, errors.New("key template: a { without its }")
		}
		p, err := placeholder(name)
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, p)
		t.Content = t.Content || p.name == "sha256"
		t.Proof = t.Proof || (p.name == "sha256" && p.cut == 64)
		rest = next
	}
	if len(t.parts) == 0 {
		t.parts = []piece{{name: "path"}}
	}
	probe := Source{Rel: "x/x.x", Host: "x", Outbox: "x", SHA256: strings.Repeat("0", 64)}
	if _, err := t.Key("", probe); err != nil {
		return nil, fmt.Errorf("key template %q: %w", text, err)
	}
	return t, nil
}

func placeholder(name string) (piece, error) {
	base, digits, cut := strings.Cut(name, ":")
	p := piece{name: base, cut: 64}
	switch base {
	case "path", "name", "ext", "host", "outbox", "yyyy", "mm", "dd", "hh":
		if cut {
			return p, fmt.Errorf("key template: {%s} can't be cut", base)
		}
	case "sha256":
		if cut {
			n, err := strconv.Atoi(digits)
			if err != nil || n < 1 || n > 64 {
				return p, fmt.Errorf("key template: {%s} must take 1 to 64 characters", name)
			}
			p.cut = n
		}
	default:
		return p, fmt.Errorf("key template: {%s} is not known", name)
	}
	return p, nil
}

// Source is what a key is made of.
type Source struct {
	Rel    string // path inside the outbox
	MTime  time.Time
	Host   string
	Outbox string // the folder's own name
	SHA256 string // hex; only where the template holds it
}

// Faults of a name: the file goes to quarantine.
var (
	errNameEncoding = errors.New("name is not UTF-8")
	errKeyTooLong   = errors.New("key is longer than 1,024 bytes")
	errKeyReserved  = errors.New("key is reserved")
	errKeyEscapes   = errors.New("key has an empty part, or one that is . or ..")
)

// Key makes the whole key of a file, the prefix in front. Its errors are faults of the file's name.
func (t *Template) Key(prefix string, s Source) (string, error) {
	if !utf8.ValidString(s.Rel) {
		return "", errNameEncoding
	}
	key := prefix + s.Rel
	if len(t.parts) != 1 || t.parts[0].name != "path" {
		key = prefix + t.expand(s)
	}
	switch {
	case !utf8.ValidString(key):
		return "", errNameEncoding
	case len(key) > maxKey:
		return "", errKeyTooLong
	}
	inner := key[len(prefix):]
	if inner == reserved || strings.HasPrefix(inner, reserved+"/") {
		return "", errKeyReserved
	}
	for part := range strings.SplitSeq(inner, "/") { // as the bucket's guard wants them
		if part == "" || part == "." || part == ".." {
			return "", errKeyEscapes
		}
	}
	return key, nil
}

func (t *Template) expand(s Source) string {
	var b strings.Builder
	at := s.MTime.UTC()
	base := path.Base(s.Rel)
	ext := extension(base)
	for _, p := range t.parts {
		switch p.name {
		case "":
			b.WriteString(p.text)
		case "path":
			b.WriteString(s.Rel)
		case "name":
			b.WriteString(strings.TrimSuffix(base, ext))
		case "ext":
			b.WriteString(ext)
		case "host":
			b.WriteString(s.Host)
		case "outbox":
			b.WriteString(s.Outbox)
		case "yyyy":
			fmt.Fprintf(&b, "%04d", at.Year())
		case "mm":
			fmt.Fprintf(&b, "%02d", int(at.Month()))
		case "dd":
			fmt.Fprintf(&b, "%02d", at.Day())
		case "hh":
			fmt.Fprintf(&b, "%02d", at.Hour())
		case "sha256":
			b.WriteString(s.SHA256[:min(p.cut, len(s.SHA256))])
		}
	}
	return b.String()
}

// extension is the last part of a name from its dot on; a name that only begins with a dot has none.
func extension(base string) string {
	if dot := strings.LastIndexByte(base, '.'); dot > 0 {
		return base[dot:]
	}
	return ""
}

// Suffixed is the key to which a file goes when another object stands at its own: ".~", the file's modification time
// in UTC, "-" and the first 8 hex digits of its CRC64NVME come before the extension. The same version of a file
// always gets the same suffix, so that a repeat meets its own name. It stays within 1,024 bytes: the name before the
// suffix is cut, at a whole character.
func Suffixed(key string, id journal.Identity, crc uint64) string {
	folder, base := path.Split(key)
	ext := extension(base)
	suffix := fmt.Sprintf(".~%s-%08x", id.At().Format("20060102T150405Z"), crc>>32)
	stem := strings.TrimSuffix(base, ext)
	if len(folder)+len(suffix)+len(ext)+1 > maxKey { // an "extension" that fills the key is part of the name
		stem, ext = base, ""
	}
	for room := maxKey - len(folder) - len(suffix) - len(ext); len(stem) > max(room, 0); {
		_, size := utf8.DecodeLastRuneInString(stem)
		stem = stem[:len(stem)-size]
	}
	return folder + stem + suffix + ext
}
