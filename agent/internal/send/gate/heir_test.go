package gate

import (
	"slices"
	"testing"

	"buzon/scripts/load/s3server"
)

// A configuration that is read again makes no more denied calls than its change needs (B16).
func TestAReloadAsksOnlyWhatIsNew(t *testing.T) {
	probes := func(ops []string) (n int) {
		for _, op := range ops {
			if slices.Contains([]string{"GetObject", "HeadObject", "GetObjectAttributes", "GetObjectAcl", "GetObjectTagging", "PutObjectAcl", "PutObjectTagging",
				"ListObjects", "ListObjectVersions", "ListMultipartUploads", "ListBuckets", "GetBucketPolicy", "DeleteObject", "HeadBucket"}, op) {
				n++
			}
		}
		return n
	}
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear})
	first := p.gate(settings())
	passed(t, first.Pass(t.Context(), Full))
	if n := probes(h.take()); n < 14 {
		t.Fatal("only", n)
	}
	for name, c := range map[string]struct {
		change func(*Settings)
		asked  bool
	}{
		"nothing":         {func(*Settings) {}, false},
		"a class":         {func(s *Settings) { s.Class = "GLACIER" }, false},
		"recheck":         {func(s *Settings) { s.Recheck *= 2 }, false},
		"only warned of":  {func(s *Settings) { s.WarnOverpowered = true }, false},
		"another prefix":  {func(s *Settings) { s.Prefix = prefix + "more/" }, true},
		"another account": {func(s *Settings) { s.Owner = "" }, true},
	} {
		s := settings()
		c.change(&s)
		next := p.gate(s)
		next.Inherit(first)
		passed(t, next.Pass(t.Context(), Full))
		if n := probes(h.take()); (n > 0) != c.asked {
			t.Errorf("%s: %d denied calls", name, n)
		}
		passed(t, next.Pass(t.Context(), Full))
		if n := probes(h.take()); n < 14 {
			t.Errorf("%s: who asks for everything again gets %d", name, n)
		}
	}
	// A gate that never passed hands nothing on.
	next := p.gate(settings())
	next.Inherit(p.gate(settings()))
	passed(t, next.Pass(t.Context(), Full))
	if n := probes(h.take()); n < 14 {
		t.Error("only", n)
	}
}
