package gate

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"buzon/agent/internal/client"
	"buzon/scripts/load/s3server"
)

// lines are the reports of one check.
func lines(r Report, id ID) (all []Check) {
	for _, c := range r.Checks {
		if c.ID == id {
			all = append(all, c)
		}
	}
	return all
}

// Each way in which a store is not fit is found, before a canary that stands and before none; at a fit store nothing is
// left but the canary.
func TestAStoreIsProvenFit(t *testing.T) {
	guard := func(who s3server.Identity, action, b, key string) bool {
		// Whoever began an upload may abort it.
		return action == "s3:AbortMultipartUpload" || s3server.WriteOnly(bucket, prefix)(who, action, b, key)
	}
	for name, c := range map[string]struct {
		lacks   []s3server.Lack
		options s3server.Options
		want    Outcome
		left    []string // besides the canary
		said    string
	}{
		"fit":                           {want: StoreFit},
		"fit, without an echo":          {options: s3server.Options{NoEcho: true}, want: StoreFit},
		"fit, conditions first":         {lacks: []s3server.Lack{s3server.ConditionFirst}, want: StoreFit},
		"fit, no header to know it by":  {lacks: []s3server.Lack{s3server.NoAmzHeaders}, want: StoreFit},
		"another code":                  {lacks: []s3server.Lack{s3server.OtherSumCode}, want: StoreJoinUnproven, left: []string{"proof"}},
		"takes a wrong header":          {lacks: []s3server.Lack{s3server.NoHeaderSum}, want: StoreNoChecksum, left: []string{"proof"}},
		"takes a wrong trailer":         {lacks: []s3server.Lack{s3server.NoTrailerSum}, want: StoreNoTrailer, left: []string{"proof"}},
		"and says nothing of it":        {lacks: []s3server.Lack{s3server.NoTrailerSum, s3server.NoTrailerEcho}, want: StoreNoTrailer, left: []string{"proof"}},
		"fit, echoes no trailer":        {lacks: []s3server.Lack{s3server.NoTrailerEcho}, want: StoreFit},
		"joins under a wrong checksum":  {lacks: []s3server.Lack{s3server.NoJoinSum}, want: StoreNoJoin, left: []string{"proof"}},
		"ignores conditions":            {options: s3server.Options{NoIfs: true}, want: StoreNoCondition},
		"ignores a join's condition":    {lacks: []s3server.Lack{s3server.NoJoinIfs}, want: StoreNoJoinCondition},
		"takes no trailers":             {lacks: []s3server.Lack{s3server.NoTrailers}, want: StoreLacks, said: "x-amz-trailer"},
		"takes no checksums (F14)":      {lacks: []s3server.Lack{s3server.NoSums}, want: StoreLacks, said: "x-amz-checksum-crc64nvme"},
		"joins nothing under a sum":     {lacks: []s3server.Lack{s3server.NoJoin}, want: StoreCantJoin, said: "crc64nvme header is invalid"},
		"has no multipart":              {lacks: []s3server.Lack{s3server.NoMultipart}, want: StoreCantJoin, said: "multipart uploads"},
		"other code, and no conditions": {lacks: []s3server.Lack{s3server.OtherSumCode}, options: s3server.Options{NoIfs: true}, want: StoreNoCondition, left: []string{"proof"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.Lacks, c.options.Allow = c.lacks, guard
			p := at(t, c.options)
			for pass := range 3 {
				r := p.pass(settings())
				found := lines(r, CheckStore)
				if len(found) != 1 || found[0].Outcome != c.want {
					t.Fatalf("pass %d, want %s:\n%s", pass, c.want, show(r))
				}
				warned := strings.Contains(string(c.want), "unproven")
				if fit := found[0].Status == OK; fit != (c.want == StoreFit) || r.Passed != (fit || warned) || warned && found[0].Status != Warning {
					t.Errorf("pass %d, %s:\n%s", pass, found[0].Status, show(r))
				}
				if c.said != "" && !strings.Contains(found[0].Args["said"], c.said) {
					t.Errorf("the store is not quoted: %v", found[0].Args)
				}
				if !r.Passed && slices.ContainsFunc(r.Checks, func(c Check) bool { return c.Outcome == ProbeRefused || c.ID == "put-beside" }) {
					t.Errorf("probes were sent to a store that is not fit:\n%s", show(r))
				}
			}
			left := map[string]bool{}
			for _, o := range p.server.Objects(bucket) {
				left[strings.TrimPrefix(o.Key, prefix+".buzon/")] = true
			}
			delete(left, "canary")
			if got := slices.Sorted(maps.Keys(left)); !slices.Equal(got, c.left) {
				t.Errorf("%v is left", got)
			}
			if n := len(p.server.Uploads()); n > 0 {
				t.Errorf("%d uploads are left", n)
			}
		})
	}
}

// A guard that lets nothing be replaced hides nothing of a fit store; of one that kept what it should have refused, it
// leaves a question open.
func TestUnderAGuardTheProofGoesOn(t *testing.T) {
	p := at(t, s3server.Options{Fault: appendOnly, Lacks: []s3server.Lack{s3server.ConditionFirst}})
	for range 2 {
		if found := lines(p.pass(settings()), CheckStore); len(found) != 1 || found[0].Outcome != StoreFit {
			t.Errorf("%+v", found)
		}
	}
	p.server.Put(bucket, prefix+".buzon/proof", nil)
	r := p.pass(settings())
	passed(t, r)
	for _, c := range lines(r, CheckStore) {
		if c.Status != Warning {
			t.Errorf("%+v", c)
		}
	}
}

// What a store proved counts for a day, at the place where it was: a start then leaves nothing unfinished there.
func TestAProofCountsForADay(t *testing.T) {
	h := &heard{}
	at(t, s3server.Options{Fault: h.hear})
	traits := client.NewTraits(client.Shown{}, nil)
	pass := func(s Settings) []string {
		h.take()
		passed(t, New(s, client.Settings{Region: "us-east-1", Traits: traits}, nil).Pass(t.Context(), Full))
		return h.take()
	}
	if !slices.Contains(pass(settings()), "CreateMultipartUpload") {
		t.Error("it was not proven")
	}
	if slices.Contains(pass(settings()), "CreateMultipartUpload") {
		t.Error("it was proven again")
	}
	elsewhere := settings()
	elsewhere.Prefix += "other/"
	if !slices.Contains(pass(elsewhere), "CreateMultipartUpload") {
		t.Error("another place counts as proven")
	}
	shown := traits.Shown()
	shown.Fit = map[string]time.Time{bucket + "/" + prefix: time.Now().Add(-25 * time.Hour)}
	traits = client.NewTraits(shown, nil)
	if !slices.Contains(pass(settings()), "CreateMultipartUpload") {
		t.Error("it counts for ever")
	}
}

// appendOnly is the guard that refuses what may replace.
func appendOnly(c *s3server.Call) s3server.Fault {
	if (c.Op == s3server.PutObject || c.Op == s3server.CompleteMultipartUpload) && c.Header.Get("If-None-Match") == "" {
		return s3server.Fault{Name: s3server.Denied}
	}
	return s3server.Fault{}
}

// Without a canary nothing is written, so nothing is proven; and what is not proven is not deleted for.
func TestWithoutACanaryAStoreIsNotProven(t *testing.T) {
	h := &heard{}
	p := at(t, s3server.Options{Fault: h.hear})
	s := settings()
	s.Canary = false
	r := p.pass(s)
	if found := lines(r, CheckStore); !r.Passed || len(found) != 1 || found[0].Outcome != StoreOff || found[0].Status != Warning {
		t.Errorf("%s", show(r))
	}
	s.Removes = true
	r = p.pass(s)
	failed(t, r, StoreOffRemoves)
	if !r.Misconfigured {
		t.Error("it is no fault of the configuration")
	}
	for _, op := range h.take() {
		if op == "PutObject" && len(p.server.Objects(bucket)) > 0 {
			t.Error("something was written")
		}
	}
}

// A store that answers everybody's ListBuckets gives no power with an empty list; with a bucket in it, it does.
func TestAnEmptyListOfBucketsIsNoPower(t *testing.T) {
	for _, method := range []Method{MethodAuto, MethodListBuckets} {
		for _, probes := range []bool{true, false} {
			p := at(t, s3server.Options{Lacks: []s3server.Lack{s3server.EverybodysLists}})
			s := settings()
			s.Method, s.Probes, s.Expect = method, probes, ""
			r := p.pass(s)
			passed(t, r)
			if len(r.Overpowered) > 0 {
				t.Errorf("%s", show(r))
			}
			if found := lines(r, "list-buckets"); probes && (len(found) != 1 || found[0].Outcome != ProbeEmpty) {
				t.Errorf("%s", show(r))
			}
		}
	}
	base := s3server.WriteOnly(bucket, prefix)
	p := at(t, s3server.Options{Allow: func(who s3server.Identity, action, b, key string) bool {
		return action == "s3:ListAllMyBuckets" || base(who, action, b, key)
	}})
	r := p.pass(settings())
	failed(t, r, ProbeAllowed)
	if !slices.Equal(r.Overpowered, []string{"s3:ListAllMyBuckets"}) {
		t.Errorf("%v", r.Overpowered)
	}
}

// What is not the store's passes no gate and refuses no probe, whichever question it answers (F13).
func TestNothingButTheStorePassesTheGate(t *testing.T) {
	ops := []s3server.Op{s3server.Other, s3server.ListBuckets, s3server.HeadBucket, s3server.PutObject, s3server.CreateMultipartUpload, s3server.UploadPart,
		s3server.CompleteMultipartUpload, s3server.GetObject, s3server.HeadObject, s3server.GetObjectAttributes, "GetObjectAcl", "GetObjectTagging",
		s3server.ListObjects, s3server.ListObjectVersions, s3server.ListMultipartUploads, s3server.GetBucketPolicy, "PutObjectAcl", "PutObjectTagging", s3server.DeleteObject}
	var strange s3server.Strange
	var of s3server.Op
	at(t, s3server.Options{Fault: func(c *s3server.Call) s3server.Fault {
		if c.Op == of || of == s3server.Other && c.Op == s3server.GetCallerIdentity {
			return s3server.Fault{Name: s3server.Stranger, Raw: strange.Raw}
		}
		return s3server.Fault{}
	}})
	all := s3server.Stranges()
	for i, answered := range all {
		for j, op := range ops {
			if testing.Short() && (i+j)%6 != 0 {
				continue // each answer to some questions, each question with some answers
			}
			strange, of = answered, op
			traits := client.NewTraits(client.Shown{}, nil)
			g := New(settings(), client.Settings{Region: "us-east-1", Version: "test", Traits: traits}, nil)
			r := g.Pass(t.Context(), Full)
			head := op == s3server.HeadBucket || op == s3server.HeadObject // they have no body to tell by, and are unproven
			for _, c := range r.Checks {
				if (op == s3server.HeadBucket && c.ID == CheckBucket || op == s3server.HeadObject && c.ID == "head-object") && c.Status == OK {
					t.Errorf("%s, to %s: %s", strange.Name, op, show(r))
				}
			}
			switch {
			case op == s3server.ListBuckets && r.Passed, head && r.Passed && len(r.Overpowered) == 0:
				if op == s3server.ListBuckets {
					t.Errorf("%s, to %s, passes:\n%s", strange.Name, op, show(r))
				}
			case r.Passed:
				t.Errorf("%s, to %s, passes:\n%s", strange.Name, op, show(r))
			case op == s3server.GetObject && strings.Contains(strange.Raw, "ETag"): // it may read, or it was a page: refused either way
			case !r.Undecided && op != s3server.Other, len(r.Overpowered) > 0:
				t.Errorf("%s, to %s, says something of the key:\n%s", strange.Name, op, show(r))
			}
		}
	}
}
