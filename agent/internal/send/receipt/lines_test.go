package receipt

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const good = `{"schema":"buzon/receipt/v1","bucket":"b","key":"p/k","size":3,"crc64nvme":"M3eFcAZSQlc=","evidence":"answered","echoed":true,"source_path":"/out/k","mtime":"2026-01-02T03:04:05.000000678Z","sent_at":"2026-01-02T03:04:06Z"}`

func read(text string) ([]*Receipt, error) {
	var all []*Receipt
	for in := NewReader(strings.NewReader(text)); ; {
		r, err := in.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
}

func TestALineThatIsNoReceiptIsNamedWithItsFault(t *testing.T) {
	without := func(field string) string {
		i := strings.Index(good, `"`+field+`":`)
		rest := good[i:]
		if j := strings.Index(rest, `,"`); j >= 0 {
			return good[:i] + rest[j+1:]
		}
		return strings.TrimSuffix(good[:i], ",") + "}"
	}
	with := func(old, new string) string {
		changed := strings.Replace(good, old, new, 1)
		if changed == good {
			t.Fatalf("%s is not in the line", old)
		}
		return changed
	}
	for name, c := range map[string]struct {
		line  string
		fault Fault
		field string
	}{
		"not JSON":            {`receipt`, NotJSON, ""},
		"half a line":         {good[:40], NotJSON, ""},
		"two on a line":       {good + good, NotJSON, ""},
		"a list":              {"[" + good + "]", NotJSON, ""},
		"a number as text":    {with(`"size":3`, `"size":"3"`), NotJSON, ""},
		"an unknown field":    {with(`"size":3`, `"size":3,"colour":"red"`), Unknown, ""},
		"another schema":      {with(`receipt/v1`, `receipt/v2`), Schemata, "buzon/receipt/v2"},
		"no schema":           {without("schema"), Schemata, ""},
		"no bucket":           {without("bucket"), Missing, "bucket"},
		"no key":              {without("key"), Missing, "key"},
		"no checksum":         {without("crc64nvme"), Missing, "crc64nvme"},
		"no source":           {without("source_path"), Missing, "source_path"},
		"no mtime":            {without("mtime"), Missing, "mtime"},
		"no time of sending":  {without("sent_at"), Missing, "sent_at"},
		"a negative size":     {with(`"size":3`, `"size":-3`), Invalid, "size"},
		"a key that is long":  {with(`"p/k"`, `"`+strings.Repeat("k", 1025)+`"`), Invalid, "key"},
		"unknown evidence":    {with(`answered`, `hoped`), Invalid, "evidence"},
		"no evidence":         {without("evidence"), Invalid, "evidence"},
		"a checksum too long": {with(`M3eFcAZSQlc=`, `M3eFcAZSQlcA`), Invalid, "crc64nvme"},
		"a time that is none": {with(`2026-01-02T03:04:06Z`, `yesterday`), NotJSON, ""},
		"a line without end":  {`{"key":"` + strings.Repeat("k", maxLine+1) + `"}`, TooLong, ""},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := read(good + "\n\n" + c.line + "\n" + good)
			var e *Error
			if !errors.As(err, &e) || e.Fault != c.fault || e.Field != c.field || e.Line != 3 {
				t.Fatalf("got %v (%+v)", err, e)
			}
			if len(all) != 1 {
				t.Errorf("%d receipts were read before it", len(all))
			}
		})
	}
	if all, err := read(good + "\r\n\n  \n" + good); err != nil || len(all) != 2 || all[0].MTime.Nanosecond() != 678 {
		t.Errorf("%v, %v", all, err)
	}
}

func TestAReceiptComesBackAsItWas(t *testing.T) {
	text := rapid.StringN(1, 40, -1)
	rapid.Check(t, func(t *rapid.T) {
		r := Receipt{
			Schema: Schema, Bucket: text.Draw(t, "bucket"), Key: text.Draw(t, "key"), Size: rapid.Int64Min(0).Draw(t, "size"),
			CRC64NVME: FormatCRC(rapid.Uint64().Draw(t, "crc")), SHA256: rapid.String().Draw(t, "sha"), ETag: rapid.String().Draw(t, "etag"),
			VersionID: rapid.String().Draw(t, "version"), Evidence: rapid.SampledFrom([]Evidence{Answered, Inferred}).Draw(t, "evidence"),
			Echoed: rapid.Bool().Draw(t, "echoed"), SourcePath: text.Draw(t, "path"), RequestID: rapid.String().Draw(t, "request"),
			MTime:  time.Unix(rapid.Int64Range(-60_000_000_000, 250_000_000_000).Draw(t, "mtime"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")).UTC(),
			SentAt: time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "sent"), 0).UTC(),
		}
		var b bytes.Buffer
		if err := NewWriter(&b).Write(&r); err != nil {
			t.Fatal(err)
		}
		if strings.Count(b.String(), "\n") != 1 {
			t.Fatalf("not one line: %q", b.String())
		}
		all, err := read(b.String())
		if err != nil || len(all) != 1 || *all[0] != r {
			t.Fatalf("got %+v, %v; want %+v", all, err, r)
		}
	})
}

func TestChecksumsAreWrittenAsS3Does(t *testing.T) {
	for sum, text := range map[uint64]string{0: "AAAAAAAAAAA=", 0xAE8B14860A799888: "rosUhgp5mIg="} {
		if got := FormatCRC(sum); got != text {
			t.Errorf("%x is written %s, want %s", sum, got, text)
		}
		if got, ok := ParseCRC(text); !ok || got != sum {
			t.Errorf("%s is read as %x, %v", text, got, ok)
		}
	}
	for _, bad := range []string{"", "AAAA", "AAAAAAAAAAAA", "not base64!=", "AAAAAAAAAAA"} {
		if _, ok := ParseCRC(bad); ok {
			t.Errorf("%q is taken for a checksum", bad)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(good + "\n"))
	f.Add([]byte(good + "\n{\"schema\":"))
	f.Add([]byte("\n\n[]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := NewReader(bytes.NewReader(data))
		for {
			r, err := in.Read()
			if err != nil {
				var e *Error
				if !errors.Is(err, io.EOF) && (!errors.As(err, &e) || e.Line < 1) {
					t.Errorf("an error without its line: %v", err)
				}
				return
			}
			// What was taken is written again, and taken again.
			var b bytes.Buffer
			if err := NewWriter(&b).Write(r); err != nil {
				return // a year that RFC 3339 can't write
			}
			if _, err := NewReader(&b).Read(); err != nil {
				t.Errorf("%q is not taken again: %v", b.String(), err)
			}
		}
	})
}
