package sources

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// wholeAccount is soundAccount as one list, with more users under more paths.
func wholeAccount(more int) map[string]string {
	answers := soundAccount()
	attached := `<AttachedManagedPolicies><member><PolicyName>own</PolicyName><PolicyArn>arn:aws:iam::111122223333:policy/own</PolicyArn></member></AttachedManagedPolicies>`
	inline := func(list, name string) string {
		return `<` + list + `><member><PolicyName>` + name + `</PolicyName><PolicyDocument>` + encoded(allowsPut) + `</PolicyDocument></member></` + list + `>`
	}
	user := func(path, name string) string {
		return `<member><Path>` + path + `</Path><UserName>` + name + `</UserName><UserId>AIDAEXAMPLE</UserId><Arn>arn:aws:iam::111122223333:user` + path + name + `</Arn>` +
			inline("UserPolicyList", "inline") + `<GroupList><member>writers</member></GroupList>` + attached +
			`<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType><PermissionsBoundaryArn>arn:aws:iam::111122223333:policy/own</PermissionsBoundaryArn></PermissionsBoundary></member>`
	}
	users := user("/buzon/", "vm-01") + user("/other/", "ot")
	for i := range more {
		users += user("/buzon/", fmt.Sprintf("more-%d", i))
	}
	answers["iam:GetAccountAuthorizationDetails"] = query("GetAccountAuthorizationDetails", `<UserDetailList>`+users+`</UserDetailList>`+
		`<GroupDetailList><member><GroupName>writers</GroupName><Arn>arn:aws:iam::111122223333:group/writers</Arn>`+inline("GroupPolicyList", "shared")+attached+`</member></GroupDetailList>`+
		`<RoleDetailList><member><Path>/</Path><RoleName>web</RoleName><RoleId>AROAEXAMPLE</RoleId><Arn>arn:aws:iam::111122223333:role/web</Arn>`+
		`<AssumeRolePolicyDocument>`+encoded(trustsEC2)+`</AssumeRolePolicyDocument>`+inline("RolePolicyList", "inline")+attached+`</member></RoleDetailList>`+
		`<Policies><member><PolicyName>own</PolicyName><Arn>arn:aws:iam::111122223333:policy/own</Arn><DefaultVersionId>v1</DefaultVersionId><PolicyVersionList><member>`+
		`<VersionId>v1</VersionId><IsDefaultVersion>true</IsDefaultVersion><Document>`+encoded(allowsPut)+`</Document></member></PolicyVersionList></member></Policies>`+ended)
	return answers
}

// renamed answers for whoever is asked about: the answers name vm-01.
func renamed(answers map[string]string) func(string, int, http.ResponseWriter, *http.Request) bool {
	return func(call string, _ int, w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(call, "iam:") || !strings.Contains(answers[call], "vm-01") {
			return false
		}
		body, _ := io.ReadAll(r.Body)
		_, after, ok := strings.Cut(string(body), "UserName=")
		if !ok {
			return false
		}
		name, _, _ := strings.Cut(after, "&")
		text := strings.ReplaceAll(answers[call], "vm-01", name)
		if name == "ot" {
			text = strings.ReplaceAll(text, "/buzon/", "/other/")
		}
		_, _ = io.WriteString(w, text)
		return true
	}
}

// Whoever is judged with all is judged as alone.
func TestAllIsAsAlone(t *testing.T) {
	load := func(sel Selection) string {
		answers := wholeAccount(0)
		found, err := readFrom(t, (&fakeAccount{answers: answers, meddle: renamed(answers)}).serve(t), sel)
		if err != nil {
			t.Fatal(err)
		}
		var out []string
		for i := range found.Subjects {
			s := &found.Subjects[i]
			if s.Credentials == nil || len(s.Credentials.Keys) != 1 {
				t.Errorf("%s: %+v", s.Set.Subject.ARN, s.Credentials)
			}
			out = append(out, s.Set.Subject.ARN+" "+documents(s)+" | "+topics(s)+" | "+gaps(s))
		}
		return strings.Join(out, "\n")
	}
	alone := load(Selection{Users: []string{"vm-01"}}) + "\n" + load(Selection{Users: []string{"ot"}})
	if all := load(Selection{All: true, Users: []string{"ot"}}); all != alone {
		t.Errorf("all:\n%s\nalone:\n%s", all, alone)
	}
	if all := load(Selection{All: true, Users: []string{"/other/ot", "vm-01"}}); all != alone {
		t.Errorf("all, both named:\n%s\nalone:\n%s", all, alone)
	}
	_, err := readFrom(t, (&fakeAccount{answers: func() map[string]string {
		a := wholeAccount(0)
		delete(a, "iam:GetUser")
		a["iam:GetUser 404"] = noSuchEntity
		return a
	}()}).serve(t), Selection{All: true, Users: []string{"/wrong/ot"}})
	if err == nil || !strings.Contains(err.Error(), "no user") {
		t.Errorf("another path: %v", err)
	}
}

// The list of the whole account is held to what was asked, like any other.
func TestTheWholeAccountIsHeldToWhatWasAsked(t *testing.T) {
	const call = "iam:GetAccountAuthorizationDetails"
	body := wholeAccount(0)[call]
	page := func(text string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { _, _ = io.WriteString(w, text) }
	}
	for _, row := range []struct {
		name   string
		answer func(w http.ResponseWriter)
	}{
		{"an empty body", page("")},
		{"HTML", page("<html/>")},
		{"an empty result", page(emptyResult(call))},
		{"without its roles", page(strings.Replace(strings.Replace(body, "<RoleDetailList>", "<X>", 1), "</RoleDetailList>", "</X>", 1))},
		{"half of it", page(halfOf(body))},
		{"another account's", page(strings.ReplaceAll(body, accountID, "999999999999"))},
		{"more without a marker", page(strings.Replace(body, ended, "<IsTruncated>true</IsTruncated>", 1))},
		{"the same marker for ever", page(strings.Replace(body, ended, "<IsTruncated>true</IsTruncated><Marker>m</Marker>", 1))},
		{"503 for ever", func(w http.ResponseWriter) { refuse(w, call, 503, "Throttling") }},
		{"denied", func(w http.ResponseWriter) { refuse(w, call, 403, "AccessDenied") }},
	} {
		t.Run(row.name, func(t *testing.T) {
			answers := wholeAccount(0)
			others := renamed(answers)
			f := &fakeAccount{answers: answers, meddle: func(asked string, n int, w http.ResponseWriter, r *http.Request) bool {
				if asked != call {
					return others(asked, n, w, r)
				}
				row.answer(w)
				return true
			}}
			found, err := readFrom(t, f.serve(t), Selection{All: true})
			if err != nil {
				t.Fatal(err)
			}
			if shows(found, call) == "" {
				t.Errorf("nothing tells of it:\n%s", summary(found))
			}
		})
	}
}

// A page that AWS has signed may leave out a list of which it holds nothing.
func TestAPageOfTheWholeAccountMayLackLists(t *testing.T) {
	const call = "iam:GetAccountAuthorizationDetails"
	read := func(change func(string) string) string {
		answers := wholeAccount(0)
		others := renamed(answers)
		f := &fakeAccount{answers: answers, meddle: func(asked string, n int, w http.ResponseWriter, r *http.Request) bool {
			if asked != call {
				return others(asked, n, w, r)
			}
			w.Header().Set("x-amzn-RequestId", "a1b2c3")
			_, _ = io.WriteString(w, change(answers[call]))
			return true
		}}
		found, err := readFrom(t, f.serve(t), Selection{All: true})
		if err != nil {
			t.Fatal(err)
		}
		return summary(found)
	}
	cut := func(body, list, with string) string {
		before, rest, _ := strings.Cut(body, "<"+list+">")
		_, after, _ := strings.Cut(rest, "</"+list+">")
		return before + with + after
	}
	for _, list := range []string{"GroupDetailList", "RoleDetailList"} {
		want := read(func(body string) string { return cut(body, list, "<"+list+"/>") })
		if got := read(func(body string) string { return cut(body, list, "") }); got != want {
			t.Errorf("%s: %s\nwant %s", list, got, want)
		}
	}
}

// Of many users passwords and certificates come from the credential report; a
// user who isn't in it, and every one where there is none, is asked about alone.
func TestTheCredentialReport(t *testing.T) {
	const head = "user,arn,user_creation_time,password_enabled,cert_1_active,cert_2_active\n"
	report := func(rows ...string) string {
		text := head + "<root_account>,arn:aws:iam::111122223333:root,x,not_supported,false,false\n" + strings.Join(rows, "\n")
		return query("GetCredentialReport", `<Content>`+base64Of(text)+`</Content><ReportFormat>text/csv</ReportFormat><GeneratedTime>2026-11-01T00:00:00Z</GeneratedTime>`)
	}
	row := func(name, password, certificate string) string {
		return name + ",arn:aws:iam::111122223333:user/buzon/" + name + ",x," + password + "," + certificate + ",false"
	}
	for _, c := range []struct {
		name, report string
		more         int
		alone        bool // whether vm-01 is asked about alone
		password     bool
	}{
		{"in the report", report(row("vm-01", "true", "true")), reportFrom, false, true},
		{"without a password", report(row("vm-01", "false", "false")), reportFrom, false, false},
		{"not in the report", report(row("somebody", "true", "false")), reportFrom, true, false},
		{"a line that isn't clear", report(row("vm-01", "maybe", "false")), reportFrom, true, false},
		{"no report", "", reportFrom, true, false},
		{"HTML", "<html>", reportFrom, true, false},
		{"few users", report(row("vm-01", "true", "true")), 0, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			answers := wholeAccount(c.more)
			answers["iam:GenerateCredentialReport"] = query("GenerateCredentialReport", `<State>COMPLETE</State>`)
			if c.report != "" {
				answers["iam:GetCredentialReport"] = c.report
			} else {
				answers["iam:GetCredentialReport 404"] = "ReportNotPresent"
			}
			others, asked := renamed(answers), []string{}
			f := &fakeAccount{answers: answers, meddle: func(call string, n int, w http.ResponseWriter, r *http.Request) bool {
				if call == "iam:GetLoginProfile" {
					body, _ := io.ReadAll(r.Body)
					_, name, _ := strings.Cut(string(body), "UserName=")
					lockAsked.Lock()
					asked = append(asked, strings.Split(name, "&")[0])
					lockAsked.Unlock()
					return false
				}
				return others(call, n, w, r)
			}}
			found, err := readFrom(t, f.serve(t), Selection{All: true})
			if err != nil {
				t.Fatal(err)
			}
			at := slices.IndexFunc(found.Subjects, func(s Subject) bool { return s.Set.Subject.Name == "vm-01" })
			s := found.Subjects[at]
			if s.Credentials.Password != c.password || slices.Contains(asked, "vm-01") != c.alone {
				t.Errorf("%+v, asked about %v", s.Credentials, asked)
			}
		})
	}
}

// Many users cost a hundred requests, and at most five for each.
func TestManyUsersCostFewRequests(t *testing.T) {
	const users = 200
	answers := wholeAccount(users)
	answers["iam:GenerateCredentialReport"] = query("GenerateCredentialReport", `<State>COMPLETE</State>`)
	text := "user,arn,password_enabled,cert_1_active,cert_2_active\n"
	for i := range users {
		text += fmt.Sprintf("more-%d,arn:aws:iam::111122223333:user/buzon/more-%d,false,false,false\n", i, i)
	}
	answers["iam:GetCredentialReport"] = query("GetCredentialReport", `<Content>`+base64Of(text)+`</Content>`)
	f := &fakeAccount{answers: answers, meddle: renamed(answers)}
	found, err := readFrom(t, f.serve(t), Selection{All: true})
	if err != nil || len(found.Subjects) != users+1 {
		t.Fatalf("%v, %d subjects", err, len(found.Subjects))
	}
	total := 0
	for _, n := range f.calls {
		total += n
	}
	if most := 100 + 5*len(found.Subjects); total > most {
		t.Errorf("%d requests for %d users, want at most %d", total, len(found.Subjects), most)
	}
	t.Logf("%d requests for %d users", total, len(found.Subjects))
}
