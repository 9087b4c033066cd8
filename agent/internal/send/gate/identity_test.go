package gate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/scripts/load/s3server"
)

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
		{"a probe is not answered", s3server.Fault{Name: s3server.Internal}, s3server.GetBucketPolicy, ProbeUnanswered, true},
		{"a proxy answers a probe", s3server.Fault{Name: s3server.BadGateway}, s3server.GetBucketPolicy, NotTheStore, true},
		{"the store is full", s3server.Fault{Name: s3server.Refuse, Status: 507, Code: "XMinioStorageFull"}, s3server.PutObject, StoreFull, true},
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
