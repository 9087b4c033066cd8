package gate

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"buzon/scripts/load/s3server"
)

func TestARecheckAsksIdentityAndCanaryAlone(t *testing.T) {
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear})
	g := p.gate(settings())
	passed(t, g.Pass(t.Context(), Full))
	if ops := h.take(); len(ops) < len(Probes)+3 {
		t.Fatalf("the first pass asked only %v", ops)
	}
	quiet := []string{"STS", "PutObject"}
	passed(t, g.Pass(t.Context(), Quick))
	if ops := h.take(); !slices.Equal(ops, quiet) {
		t.Errorf("a recheck asked %v", ops)
	}

	for id, was := range g.memory.probes { // as if a day had gone by
		was.at = was.at.Add(-probesEvery)
		g.memory.probes[id] = was
	}
	passed(t, g.Pass(t.Context(), Quick))
	if ops := h.take(); len(ops) != len(quiet)+len(Probes) {
		t.Errorf("after a day, a recheck asked %v", ops)
	}
	passed(t, g.Pass(t.Context(), Quick))
	if ops := h.take(); !slices.Equal(ops, quiet) {
		t.Errorf("the recheck after that asked %v", ops)
	}

	second := s3server.Identity{ARN: vm01, UserID: "AIDAUPLOADER00000001", AccessKey: "AKIAUPLOADER00000002", Secret: "second-secret"}
	p.server.SetIdentities(s3server.Uploader, second)
	p.key(second)
	passed(t, g.Pass(t.Context(), Quick))
	if ops := h.take(); len(ops) < len(Probes)+3 {
		t.Errorf("of a new key, a recheck asked only %v", ops)
	}
}

func TestANewKeyOfTheSameSessionsIsNotProbedAgain(t *testing.T) {
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear})
	sessionOf := func(role string, n int) s3server.Identity {
		return s3server.Identity{ARN: fmt.Sprintf("arn:aws:sts::111122223333:assumed-role/%s/s%d", role, n),
			AccessKey: fmt.Sprintf("ASIASESSION00000%04d", n), Secret: fmt.Sprint("session-secret-", n), Token: fmt.Sprint("token-", n)}
	}
	s := settings()
	s.Expect = ""
	g := p.gate(s)
	for i, c := range []struct {
		role  string
		quiet bool
	}{{"vm-01", false}, {"vm-01", true}, {"vm-02", false}} {
		id := sessionOf(c.role, i)
		p.server.SetIdentities(id)
		p.key(id)
		passed(t, g.Pass(t.Context(), Quick))
		if ops := h.take(); (len(ops) == 2) != c.quiet {
			t.Errorf("pass %d, of a session of %s, asked %v", i, c.role, ops)
		}
	}
}

// proofOps are what the proof of a store asks besides PutObject.
var proofOps = []s3server.Op{s3server.CreateMultipartUpload, s3server.UploadPart, s3server.CompleteMultipartUpload, s3server.AbortMultipartUpload}

func TestWhatIsMeantToBeDeniedSaysSo(t *testing.T) {
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear})
	for _, method := range []Method{MethodAuto, MethodListBuckets} {
		s := settings()
		s.Method, s.Expect = method, ""
		passed(t, p.gate(s).Pass(t.Context(), Full))
	}
	allowed := s3server.WriteOnly(bucket, prefix)
	for _, c := range h.calls {
		agent := c.Header.Get("User-Agent")
		if !strings.Contains(agent, "buzon/test") {
			t.Errorf("%s calls itself %q", c.Op, agent)
		}
		mayPass := c.Op == s3server.Other || slices.Contains(proofOps, c.Op) || c.Op == s3server.PutObject && allowed(c.Identity, "s3:PutObject", c.Bucket, c.Key)
		if probe := strings.Contains(agent, "buzon-probe"); probe == mayPass {
			t.Errorf("%s %s: buzon-probe is %t in %q", c.Op, c.Key, probe, agent)
		}
	}
}

func TestAnOverpoweredKeyIsAskedOnlyForWhatItHasTooMuch(t *testing.T) {
	h := &heard{}
	var mu sync.Mutex
	more := "s3:GetObjectTagging"
	base := s3server.WriteOnly(bucket, prefix)
	p := at(t, s3server.Options{Fault: h.hear, Allow: func(who s3server.Identity, action, b, key string) bool {
		mu.Lock()
		defer mu.Unlock()
		return action == more || base(who, action, b, key)
	}})
	g := p.gate(settings())
	failed(t, g.Pass(t.Context(), Quick), ProbeAllowed)
	h.take()
	r := g.Pass(t.Context(), Quick)
	failed(t, r, ProbeAllowed)
	if !slices.Equal(r.Overpowered, []string{more}) || g.AWS() != nil {
		t.Errorf("%v, %v", r.Overpowered, g.AWS())
	}
	if ops := h.take(); !slices.Equal(ops, []string{"STS", "PutObject", "GetObjectTagging"}) {
		t.Errorf("asked %v", ops)
	}
	mu.Lock()
	more = ""
	mu.Unlock()
	r = g.Pass(t.Context(), Quick)
	passed(t, r)
	if len(r.Overpowered) > 0 || g.AWS() == nil {
		t.Errorf("%v, %v", r.Overpowered, g.AWS())
	}
}

func TestAPowerThatIsOnlyWarnedOfStaysKnown(t *testing.T) {
	base := s3server.WriteOnly(bucket, prefix)
	p := at(t, s3server.Options{Allow: func(who s3server.Identity, action, b, key string) bool {
		return action == "s3:GetObjectAcl" || base(who, action, b, key)
	}})
	s := settings()
	s.WarnOverpowered = true
	g := p.gate(s)
	for range 2 {
		r := g.Pass(t.Context(), Quick)
		passed(t, r)
		if !slices.Equal(r.Overpowered, []string{"s3:GetObjectAcl"}) {
			t.Errorf("%v:\n%s", r.Overpowered, show(r))
		}
	}
}

func TestWithoutACanaryReadingIsNotAskedAllDayLong(t *testing.T) {
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear})
	s := settings()
	s.Canary = false
	g := p.gate(s)
	r := g.Pass(t.Context(), Quick)
	passed(t, r)
	for _, c := range r.Checks {
		if c.ID == "get-object" && (c.Status != Unproven || c.Outcome != ProbeNotProven) {
			t.Errorf("reading is %s %s without a canary", c.Status, c.Outcome)
		}
	}
	if n := len(p.server.Objects(bucket)); n > 0 {
		t.Errorf("%d objects were written", n)
	}
	h.take()
	passed(t, g.Pass(t.Context(), Quick))
	if ops := h.take(); !slices.Equal(ops, []string{"STS"}) {
		t.Errorf("a recheck asked %v", ops)
	}
}
