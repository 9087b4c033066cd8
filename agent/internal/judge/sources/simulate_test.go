package sources

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"buzon/agent/policy"
)

// simulator answers the simulator's call, and notes what it was asked.
type simulator struct {
	allow func(principal, action, resource string) bool
	mute  bool   // it leaves the last result out
	code  string // of a refusal
	cut   bool   // its first answer of a call holds one result, and a marker
	asked []url.Values
}

func (s *simulator) meddle(call string, _ int, w http.ResponseWriter, r *http.Request) bool {
	if call != simulated {
		return false
	}
	if s.code != "" {
		refuse(w, call, 403, s.code)
		return true
	}
	body, _ := io.ReadAll(r.Body)
	form, _ := url.ParseQuery(string(body))
	lockAsked.Lock()
	s.asked = append(s.asked, form)
	lockAsked.Unlock()
	var actions, results []string
	for n := 1; form.Get("ActionNames.member."+string(rune('0'+n%10))) != "" && n < 10; n++ {
		actions = append(actions, form.Get("ActionNames.member."+string(rune('0'+n))))
	}
	for _, action := range actions {
		decision := "implicitDeny"
		if s.allow(form.Get("PolicySourceArn"), action, form.Get("ResourceArns.member.1")) {
			decision = "allowed"
		}
		results = append(results, "<member><EvalActionName>"+action+"</EvalActionName><EvalResourceName>"+form.Get("ResourceArns.member.1")+
			"</EvalResourceName><EvalDecision>"+decision+"</EvalDecision></member>")
	}
	end := ended
	if s.mute {
		results = results[:len(results)-1]
	}
	if s.cut && len(results) > 1 {
		if form.Get("Marker") != "" {
			results = results[1:]
		} else {
			results, end = results[:1], "<IsTruncated>true</IsTruncated><Marker>more</Marker>"
		}
	}
	_, _ = io.WriteString(w, query("SimulatePrincipalPolicy", "<EvaluationResults>"+strings.Join(results, "")+"</EvaluationResults>"+end))
	return true
}

func simulate(t *testing.T, s *simulator) *Found {
	t.Helper()
	f := &fakeAccount{answers: soundAccount(), meddle: s.meddle}
	access := f.serve(t)
	sel := everyone
	sel.Bucket, sel.Prefix = "acme", "uploads/{name}/"
	found, err := readFrom(t, access, sel)
	if err != nil {
		t.Fatal(err)
	}
	err = simulateWithin(t.Context(), found, sel, access, quickly(), func(*Subject) []Asked {
		tls := map[string][]string{"aws:SecureTransport": {"true"}}
		return []Asked{
			{Action: "s3:PutObject", Resource: "arn:aws:s3:::acme/uploads/vm-01/x", Context: tls},
			{Action: "s3:GetObject", Resource: "arn:aws:s3:::acme/uploads/vm-01/x", Context: tls},
			{Action: "iam:PassRole", Resource: "arn:aws:iam::111122223333:role/x", Context: map[string][]string{"aws:TagKeys": {"a", "b"}}},
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// One call asks the requests of one resource; the bucket's policy goes along for users alone.
func TestTheSimulatorIsAskedAsItTakesIt(t *testing.T) {
	for _, cut := range []bool{false, true} {
		s := &simulator{cut: cut, allow: func(_, action, _ string) bool { return action == "s3:PutObject" }}
		found := simulate(t, s)
		if len(found.Subjects) != 2 {
			t.Fatalf("%d subjects", len(found.Subjects))
		}
		for i := range found.Subjects {
			sub := &found.Subjects[i]
			if len(sub.Simulations) != 3 || !sub.Simulations[0].Allowed || sub.Simulations[1].Allowed || sub.Simulations[2].Decision != "implicitDeny" {
				t.Errorf("%v %s: %+v | %s", cut, sub.Set.Subject.ARN, sub.Simulations, gaps(sub))
			}
		}
		for _, form := range s.asked {
			user := strings.Contains(form.Get("PolicySourceArn"), ":user/")
			bucket := strings.HasPrefix(form.Get("ResourceArns.member.1"), "arn:aws:s3:::acme/")
			if (form.Get("ResourcePolicy") == guardsAll) != (user && bucket) || (form.Get("ResourceOwner") == "arn:aws:iam::111122223333:root") != (user && bucket) {
				t.Errorf("%v", form)
			}
			text := form.Encode()
			if user != strings.Contains(text, url.QueryEscape("aws:PrincipalArn")) {
				t.Errorf("keys of the principal: %v", form)
			}
			if !bucket && !strings.Contains(text, "stringList") {
				t.Errorf("a list is none: %v", form)
			}
			if bucket && !strings.Contains(text, "boolean") {
				t.Errorf("a Boolean is none: %v", form)
			}
		}
		if len(found.Requests) == 0 || found.Requests[len(found.Requests)-1].Call != simulated {
			t.Errorf("%+v", found.Requests)
		}
	}
}

// Who may not ask it is told which right is missing.
func TestTheSimulatorMayBeForbidden(t *testing.T) {
	found := simulate(t, &simulator{code: "AccessDenied"})
	for i := range found.Subjects {
		s := &found.Subjects[i]
		if len(s.Simulations) > 0 || !strings.Contains(gaps(s), simulated) {
			t.Errorf("%s: %+v | %s", s.Set.Subject.ARN, s.Simulations, gaps(s))
		}
	}
}

// An answer that leaves out what was asked is none.
func TestTheSimulatorAnswersAll(t *testing.T) {
	found := simulate(t, &simulator{mute: true, allow: func(string, string, string) bool { return false }})
	for i := range found.Subjects {
		if s := &found.Subjects[i]; !slices.ContainsFunc(s.Gaps, func(g Gap) bool { return g.Call == simulated && !g.MayAllow() }) {
			t.Errorf("%s: %+v | %s", s.Set.Subject.ARN, s.Simulations, gaps(s))
		}
	}
}

// What the simulator isn't told of is not in what its answers are held against.
func TestWhatTheSimulatorIsNotTold(t *testing.T) {
	kinds := []policy.Kind{
		policy.UserInline, policy.UserManaged, policy.GroupInline, policy.GroupManaged, policy.RoleInline, policy.RoleManaged, policy.Boundary, policy.Session, policy.Trust,
		policy.BucketPolicy, policy.AccessPoint, policy.KeyPolicy, policy.KMSGrant, policy.ACL, policy.SCP, policy.RCP, policy.ResourcePolicy, policy.LambdaPermission,
	}
	for _, who := range []policy.Type{policy.User, policy.Role} {
		set := policy.Set{Subject: policy.Subject{Type: who}}
		for _, k := range kinds {
			set.Sources = append(set.Sources, policy.Source{Kind: k})
		}
		var left []string
		for _, src := range Simulated(&set).Sources {
			left = append(left, string(src.Kind))
		}
		want := "user-inline user-managed group-inline group-managed role-inline role-managed boundary bucket-policy scp"
		if who == policy.Role {
			want = strings.Replace(want, " bucket-policy", "", 1)
		}
		if got := strings.Join(left, " "); got != want || len(set.Sources) != len(kinds) {
			t.Errorf("%s: %s", who, got)
		}
	}
}
