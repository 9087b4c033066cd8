package gate

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"buzon/agent/internal/client"
	"buzon/scripts/load/s3server"
)

// heard keeps every call that a server got.
type heard struct {
	mu    sync.Mutex
	calls []s3server.Call
	fault func(*s3server.Call) s3server.Fault
}

func (h *heard) hear(c *s3server.Call) s3server.Fault {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, *c)
	if h.fault != nil {
		return h.fault(c)
	}
	return s3server.Fault{}
}

// take gives the operations since the last take; STS is "STS".
func (h *heard) take() (ops []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, c := range h.calls {
		op := string(c.Op)
		if c.Op == s3server.Other && c.Bucket == "" {
			op = "STS"
		}
		ops = append(ops, op)
	}
	h.calls = nil
	return ops
}

func passed(t *testing.T, r Report) {
	t.Helper()
	if !r.Passed {
		t.Fatalf("not passed:\n%s", show(r))
	}
}

func failed(t *testing.T, r Report, want Outcome) {
	t.Helper()
	if first := r.First(); first == nil || first.Outcome != want {
		t.Fatalf("want %s:\n%s", want, show(r))
	}
}

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
		mayPass := c.Op == s3server.Other || c.Op == s3server.PutObject && allowed(c.Identity, "s3:PutObject", c.Bucket, c.Key)
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

// rotated is a gate that passed with one key, and finds another in the file.
func rotated(t *testing.T, o s3server.Options, newKey time.Duration) (*place, *Gate, s3server.Identity) {
	p := at(t, o)
	s := settings()
	s.NewKey = newKey
	g := p.gate(s)
	passed(t, g.Pass(t.Context(), Quick))
	second := s3server.Identity{ARN: vm01, UserID: "AIDAUPLOADER00000001", AccessKey: "AKIAUPLOADER00000002", Secret: "second-secret"}
	p.key(second)
	return p, g, second
}

func TestTheOldKeyGoesOnWhileTheNewOneIsNotYetKnown(t *testing.T) {
	p, g, second := rotated(t, s3server.Options{}, 10*time.Millisecond)
	r := g.Pass(t.Context(), Quick)
	passed(t, r)
	if r.Source.Key != "0001" || g.AWS().KeyID() != s3server.Uploader.AccessKey {
		t.Errorf("%s is in use:\n%s", r.Source.Key, show(r))
	}
	if !slices.ContainsFunc(r.Checks, func(c Check) bool {
		return c.Outcome == NewKeyUnknown && c.Status == Warning && c.Args["key"] == "0002" && c.Args["old"] == "0001"
	}) {
		t.Errorf("the new key is not spoken of:\n%s", show(r))
	}
	if wait := g.next(time.Now()); wait > 10*time.Millisecond {
		t.Errorf("the new key is tried again only in %s", wait)
	}
	p.server.SetIdentities(second)
	passed(t, g.Pass(t.Context(), Quick))
	if g.AWS().KeyID() != second.AccessKey || g.next(time.Now()) < time.Minute {
		t.Error("the new key is not in use")
	}
}

func TestANewKeyThatNobodyKnowsIsRefusedOnceTheOldOneIsGone(t *testing.T) {
	p, g, _ := rotated(t, s3server.Options{}, 10*time.Millisecond)
	p.server.SetIdentities()
	failed(t, g.Pass(t.Context(), Quick), KeyUnknown)
	p.key(s3server.Uploader)
	failed(t, g.Pass(t.Context(), Quick), KeyRevoked)
}

func TestANewKeyIsTriedAgainUntilItIsKnown(t *testing.T) {
	t.Run("STS learns of it late", func(t *testing.T) {
		h := &heard{}
		p, g, second := rotated(t, s3server.Options{Fault: h.hear}, time.Minute)
		asked := 0
		h.mu.Lock()
		h.fault = func(*s3server.Call) s3server.Fault {
			if asked++; asked == 2 { // the first try is answered; then everybody knows
				p.server.SetIdentities(second)
			}
			return s3server.Fault{}
		}
		h.mu.Unlock()
		passed(t, g.Pass(t.Context(), Quick))
		if g.AWS().KeyID() != second.AccessKey {
			t.Error("the new key is not in use")
		}
	})
	t.Run("S3 learns of it late", func(t *testing.T) {
		h := &heard{}
		p, g, second := rotated(t, s3server.Options{Fault: h.hear}, time.Minute)
		p.server.SetIdentities(s3server.Uploader, second)
		late := 0
		h.mu.Lock()
		h.fault = func(c *s3server.Call) s3server.Fault {
			if c.Op == s3server.PutObject && late < 1 {
				late++
				return s3server.Fault{Name: s3server.UnknownKey}
			}
			return s3server.Fault{}
		}
		h.mu.Unlock()
		passed(t, g.Pass(t.Context(), Quick))
		if g.AWS().KeyID() != second.AccessKey || late != 1 {
			t.Error("the new key is not in use")
		}
	})
}

func TestTheKeyThatPassedIsTheOneThatIsUsed(t *testing.T) {
	p := at(t, s3server.Options{})
	if err := os.Remove(p.file); err != nil {
		t.Fatal(err)
	}
	ends := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	t.Chdir(t.TempDir())
	// A source that gives another key each time it is asked.
	script := `n=$(cat n 2>/dev/null || echo 0); n=$((n+1)); echo $n >n; printf "{\"Version\":1,\"AccessKeyId\":\"ASIASESSION00000000$n\",\"SecretAccessKey\":\"session-secret\",\"SessionToken\":\"token\",\"Expiration\":\"` + ends + `\"}"`
	if err := os.WriteFile("give", []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("AWS_CONFIG_FILE"), []byte("[default]\ncredential_process = sh give\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var ids []s3server.Identity
	for n := range 3 {
		ids = append(ids, s3server.Identity{ARN: vm01, AccessKey: fmt.Sprintf("ASIASESSION00000000%d", n+1), Secret: "session-secret", Token: "token"})
	}
	p.server.SetIdentities(ids...)
	g := p.gate(settings())
	passed(t, g.Pass(t.Context(), Quick))
	for range 2 {
		value, err := g.AWS().Config.Credentials.Retrieve(t.Context())
		if err != nil || value.AccessKeyID != ids[0].AccessKey || !value.CanExpire {
			t.Fatalf("%s, %v", value.AccessKeyID, err)
		}
	}
	if wait := g.next(time.Now()); wait > 55*time.Minute || wait < 45*time.Minute {
		t.Errorf("it is fetched anew in %s, and ends in an hour", wait)
	}
	if wait := g.next(time.Now().Add(58 * time.Minute)); wait != endsSoon {
		t.Errorf("shortly before its end it is fetched anew in %s", wait)
	}
	passed(t, g.Pass(t.Context(), Quick))
	if g.AWS().KeyID() != ids[1].AccessKey {
		t.Error("a pass fetches the credentials anew")
	}
}

func TestTheClockIsJudgedByTheAnswerThatIsFurthestOff(t *testing.T) {
	for _, c := range []struct {
		off    time.Duration
		op     s3server.Op
		status Status
		want   Outcome
	}{
		{4 * time.Minute, s3server.HeadBucket, OK, ClockRight},
		{6 * time.Minute, s3server.HeadBucket, Warning, ClockOff},
		{-6 * time.Minute, s3server.PutObject, Warning, ClockOff},
		{14 * time.Minute, s3server.GetObject, Warning, ClockOff},
		{16 * time.Minute, s3server.Other, Failed, ClockWrong},
		{-16 * time.Minute, s3server.PutObject, Failed, ClockWrong},
	} {
		h := &heard{fault: func(call *s3server.Call) s3server.Fault {
			if call.Op == c.op {
				return s3server.Fault{Name: s3server.SkewedDate, Wait: c.off}
			}
			return s3server.Fault{}
		}}
		p := at(t, s3server.Options{Fault: h.hear})
		r := p.pass(settings())
		at := slices.IndexFunc(r.Checks, func(c Check) bool { return c.ID == CheckClock })
		if got := r.Checks[at]; got.Status != c.status || got.Outcome != c.want || r.Passed != (c.status != Failed) {
			t.Errorf("%s in the answer to %s: %s %s", c.off, c.op, got.Status, got.Outcome)
		}
		if r.Checks[at-1].ID != CheckIdentity {
			t.Errorf("the clock stands after %s", r.Checks[at-1].ID)
		}
	}
}

func TestSilenceIsNoWordAgainstTheKey(t *testing.T) {
	for _, c := range []struct {
		name      string
		fault     s3server.Fault
		op        s3server.Op
		want      Outcome
		undecided bool
	}{
		{"STS is busy", s3server.Fault{Name: s3server.Internal}, s3server.Other, StoreBusy, true},
		{"a probe is not answered", s3server.Fault{Name: s3server.BadGateway}, s3server.GetBucketPolicy, ProbeUnanswered, true},
		{"the canary is lost", s3server.Fault{Name: s3server.ResetBefore}, s3server.PutObject, Unreachable, true},
		{"the canary is denied", s3server.Fault{Name: s3server.Denied}, s3server.PutObject, CannotWriteOrElse, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &heard{fault: func(call *s3server.Call) s3server.Fault {
				if call.Op == c.op {
					return c.fault
				}
				return s3server.Fault{}
			}}
			p := at(t, s3server.Options{Fault: h.hear})
			r := p.pass(settings())
			failed(t, r, c.want)
			if r.Undecided != c.undecided {
				t.Errorf("undecided is %t", r.Undecided)
			}
		})
	}
}

func TestOnlyWhereSTSCannotBeReachedTheBucketsAreAskedFor(t *testing.T) {
	t.Run("an answer is an answer", func(t *testing.T) {
		for _, name := range []s3server.Name{s3server.Denied, s3server.Internal, s3server.Expired, s3server.UnknownKey} {
			h := &heard{fault: func(c *s3server.Call) s3server.Fault {
				if c.Op == s3server.Other {
					return s3server.Fault{Name: name}
				}
				return s3server.Fault{}
			}}
			p := at(t, s3server.Options{Fault: h.hear})
			r := p.pass(settings())
			if ops := h.take(); r.Passed || slices.Contains(ops, "ListBuckets") {
				t.Errorf("%s: passed %t, asked %v", name, r.Passed, ops)
			}
		}
	})
	closed := s3server.New(s3server.Options{})
	if err := closed.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	closed.Close()
	t.Run("nobody at STS", func(t *testing.T) {
		p := at(t, s3server.Options{})
		t.Setenv("AWS_ENDPOINT_URL_STS", closed.URL)
		s := settings()
		s.Expect = ""
		r := p.pass(s)
		passed(t, r)
		if r.Identity != nil || !slices.ContainsFunc(r.Checks, func(c Check) bool {
			return c.ID == CheckIdentity && c.Outcome == IdentityHidden && c.Answered == "403 AccessDenied"
		}) {
			t.Error(show(r))
		}
		s = settings() // somebody is expected
		failed(t, p.pass(s), IdentityUnseen)
		s.Method = MethodListBuckets // and that he can't be seen was accepted
		passed(t, p.pass(s))
	})
	t.Run("nobody at STS any more", func(t *testing.T) {
		h := &heard{}
		p := at(t, s3server.Options{Fault: h.hear})
		g := p.gate(settings())
		passed(t, g.Pass(t.Context(), Quick))
		h.take()
		t.Setenv("AWS_ENDPOINT_URL_STS", closed.URL)
		r := g.Pass(t.Context(), Quick)
		passed(t, r)
		if r.Identity == nil || r.Identity.ARN != vm01 {
			t.Errorf("the key was seen before:\n%s", show(r))
		}
		if ops := h.take(); !slices.Equal(ops, []string{"ListBuckets", "PutObject"}) && !slices.Equal(ops, []string{"ListBuckets", "PutObject", "ListBuckets"}) {
			t.Errorf("asked %v", ops)
		}
		second := s3server.Identity{ARN: vm01, AccessKey: "AKIAUPLOADER00000002", Secret: "second-secret"}
		p.server.SetIdentities(second)
		p.key(second)
		failed(t, g.Pass(t.Context(), Quick), IdentityUnseen)
	})
	t.Run("nobody at STS, and only STS is to be asked", func(t *testing.T) {
		p := at(t, s3server.Options{})
		t.Setenv("AWS_ENDPOINT_URL_STS", closed.URL)
		s := settings()
		s.Method = MethodSTS
		r := p.pass(s)
		failed(t, r, Unreachable)
		if c := r.First(); c.Args["silence"] != string(NoListener) || !strings.HasPrefix(c.Args["address"], closed.URL) {
			t.Errorf("%v", c.Args)
		}
	})
}

func TestWatchSaysThatAFileChanged(t *testing.T) {
	p := at(t, s3server.Options{})
	g := p.gate(settings())
	passed(t, g.Pass(t.Context(), Quick))
	due := make(chan Depth)
	go g.Watch(t.Context(), func(d Depth) {
		select {
		case due <- d:
		case <-t.Context().Done():
		}
	})
	second := s3server.Identity{ARN: vm01, AccessKey: "AKIAUPLOADER00000002", Secret: "second-secret"}
	p.server.SetIdentities(second)
	waitFor := time.After(20 * time.Second)
	for g.AWS().KeyID() != second.AccessKey {
		p.key(second) // again, for Watch may have begun after the last time
		select {
		case d := <-due:
			passed(t, g.Pass(t.Context(), d))
		case <-time.After(time.Second):
		case <-waitFor:
			t.Fatal("nobody said that the file changed")
		}
	}
}

func TestIdentitiesAreHeldToWhatIsExpected(t *testing.T) {
	const (
		user    = "arn:aws:iam::111122223333:user/buzon/vm-01"
		role    = "arn:aws:iam::111122223333:role/buzon/vm-01"
		session = "arn:aws:sts::111122223333:assumed-role/vm-01/i-0123"
	)
	for _, c := range []struct {
		expect, arn string
		want        bool
	}{
		{user, user, true},
		{user, "arn:aws:iam::111122223333:user/vm-01", false},
		{user, "arn:aws:iam::111122223333:user/buzon/vm-010", false},
		{user, "arn:aws-cn:iam::111122223333:user/buzon/vm-01", false},
		{user, "arn:aws:iam::999988887777:user/buzon/vm-01", false},
		{role, session, true},
		{"arn:aws:iam::111122223333:role/vm-01", session, true},
		{session, session, true},
		{session, "arn:aws:sts::111122223333:assumed-role/vm-01/i-0124", false},
		{role, "arn:aws:sts::111122223333:assumed-role/vm-010/i-0123", false},
		{role, "arn:aws:sts::111122223333:assumed-role/vm/01", false},
		{role, "arn:aws:sts::999988887777:assumed-role/vm-01/i-0123", false},
		{role, "arn:aws-cn:sts::111122223333:assumed-role/vm-01/i-0123", false},
		{role, "arn:aws:sts::111122223333:federated-user/vm-01", false},
		{role, role, true},
		{user, session, false},
	} {
		if got := matches(c.expect, c.arn); got != c.want {
			t.Errorf("%s is %s: %t", c.arn, c.expect, got)
		}
	}
	for arn, want := range map[string]string{
		user:    user,
		session: "arn:aws:iam::111122223333:role/vm-01",
		"arn:aws-cn:sts::111122223333:assumed-role/vm-01/s": "arn:aws-cn:iam::111122223333:role/vm-01",
	} {
		if got := expectable(arn); got != want {
			t.Errorf("%s is to be expected as %s", arn, got)
		}
	}
	for _, who := range []Identity{
		{Account: "111122223333", ARN: "arn:aws:iam::111122223333:root", UserID: "111122223333"},
		{Account: "111122223333", ARN: "arn:aws:iam::111122223333:root", UserID: "AIDA"},
		{Account: "111122223333", ARN: "arn:aws:sts::111122223333:assumed-root/s", UserID: "111122223333:s"},
		{Account: "111122223333", ARN: "arn:aws:sts::111122223333:root/s", UserID: "x"},
		{Account: "111122223333", ARN: "arn:aws:iam::111122223333:anything", UserID: "111122223333"},
	} {
		if !root(&who) {
			t.Errorf("%v is root", who)
		}
	}
	if root(&Identity{Account: "111122223333", ARN: "arn:aws:iam::111122223333:user/root", UserID: "AIDA"}) {
		t.Error("a user may be called root")
	}
}

// The probes are what guards the promise that a key can do nothing else, so
// they are written out again.
func TestEveryProbeOfTheGate(t *testing.T) {
	want := map[ID]string{
		"get-object": "s3:GetObject", "head-object": "s3:GetObject", "get-attributes": "s3:GetObjectAttributes",
		"get-acl": "s3:GetObjectAcl", "get-tags": "s3:GetObjectTagging",
		"list-bucket": "s3:ListBucket", "list-versions": "s3:ListBucketVersions", "list-uploads": "s3:ListBucketMultipartUploads",
		"list-buckets": "s3:ListAllMyBuckets", "get-policy": "s3:GetBucketPolicy",
		"put-acl": "s3:PutObjectAcl", "put-tags": "s3:PutObjectTagging", "put-beside": "s3:PutObject",
		"delete-object": "s3:DeleteObject", "delete-version": "s3:DeleteObjectVersion",
	}
	got := map[ID]string{}
	for _, p := range Probes {
		got[p.ID] = p.Permission
	}
	if !maps.Equal(got, want) {
		t.Errorf("the probes are %v", got)
	}
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear})
	passed(t, p.pass(settings()))
	canary := prefix + ".buzon/canary"
	var beside, absent, version int
	for _, c := range h.calls {
		switch c.Op {
		case s3server.GetObject, s3server.HeadObject, s3server.GetObjectAttributes, "GetObjectAcl", "GetObjectTagging", "PutObjectAcl", "PutObjectTagging":
			if c.Key != canary {
				t.Errorf("%s of %s proves nothing", c.Op, c.Key)
			}
		case s3server.PutObject:
			if c.Size != 0 || c.Header.Get("If-None-Match") != "*" {
				t.Errorf("%s: %d bytes, If-None-Match %q", c.Key, c.Size, c.Header.Get("If-None-Match"))
			}
			if c.Key == ".buzon-probe" {
				beside++
				if c.Header.Get("X-Amz-Checksum-Crc64nvme") == "AAAAAAAAAAA=" {
					t.Error("the PUT beside the prefix would be stored where it is allowed")
				}
			} else if c.Header.Get("X-Amz-Expected-Bucket-Owner") != "111122223333" {
				t.Errorf("%s is sent to whoever owns the bucket", c.Key)
			}
		case s3server.DeleteObject:
			if c.Key != prefix+".buzon/absent" {
				t.Fatalf("a delete of %s", c.Key)
			}
			if c.Query.Has("versionId") {
				version++
			} else {
				absent++
				if c.Header.Get("If-Match") != "*" {
					t.Error("the delete may leave a marker")
				}
			}
		default: // asks of the bucket or the account
		}
	}
	if beside != 1 || absent != 1 || version != 1 {
		t.Errorf("%d puts beside, %d deletes, %d of a version", beside, absent, version)
	}
}

func TestADeleteMarkerIsSpokenOf(t *testing.T) {
	base := s3server.WriteOnly(bucket, prefix)
	p := at(t, s3server.Options{NoIfMatch: true, Allow: func(who s3server.Identity, action, b, key string) bool {
		return action == "s3:DeleteObject" || base(who, action, b, key)
	}})
	r := p.pass(settings())
	failed(t, r, ProbeMarker)
	if c := r.First(); c.Permission != "s3:DeleteObject" || !strings.Contains(c.Args["what"], prefix+".buzon/absent") {
		t.Errorf("%+v", c)
	}
}

func TestLoadedKeysAreHidden(t *testing.T) {
	at(t, s3server.Options{})
	secrets := &client.Secrets{}
	g := New(settings(), client.Settings{Region: "us-east-1", Secrets: secrets}, nil)
	passed(t, g.Pass(t.Context(), Quick))
	if got := secrets.Redact("x uploader-secret y"); strings.Contains(got, "uploader") {
		t.Error(got)
	}
}

func TestABucketOfSomebodyElseIsLeftAlone(t *testing.T) {
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear, Buckets: []s3server.Bucket{{Name: bucket, Owner: "999988887777"}}})
	failed(t, p.pass(settings()), OtherOwner)
	// Whose it is was settled by a PUT without the owner's header, which nobody stores.
	if ops := h.take(); !slices.Equal(ops[len(ops)-2:], []string{"PutObject", "PutObject"}) || slices.Contains(ops, "DeleteObject") {
		t.Errorf("asked %v", ops)
	}
	if n := len(p.server.Objects(bucket)); n > 0 {
		t.Errorf("%d objects were left there", n)
	}
}

func TestWithoutItsCanaryReadingIsNotAsked(t *testing.T) {
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear, Allow: func(s3server.Identity, string, string, string) bool { return false }})
	failed(t, p.pass(settings()), CannotWriteOrElse)
	ops := h.take()
	if slices.Contains(ops, "GetObject") || !slices.Contains(ops, "ListObjects") || !slices.Contains(ops, "DeleteObject") {
		t.Errorf("asked %v", ops)
	}
}
