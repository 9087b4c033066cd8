package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// object is a JSON object of a policy or an export.
type object = map[string]any

// question is what the auditor is asked in one process, and the file that it reads.
type question struct {
	file func() (object, error)
	args func(file string) []string
}

// questions are those of the loads of the auditor.
var questions = map[string]question{
	"judge-one":     {typical, ofOne},
	"judge-not":     {notAction, ofOne},
	"judge-hard":    {hard, ofOne},
	"judge-managed": {managed, ofAll},
	"judge-1000":    {thousand, ofAll},
	"judge-120":     {varied, ofAll},
}

// ofOne asks about one principal with one document.
func ofOne(file string) []string {
	return []string{"audit-policy", "--identity-policy", file, "--principal", "arn:aws:iam::" + account + ":user/buzon/vm-01",
		"--bucket", "acme-uploads", "--prefix", "uploads/vm-01/"}
}

// ofAll asks about everybody in an export.
func ofAll(file string) []string {
	return []string{"audit-policy", "--authorization-details", file, "--path", "/", "--bucket", "acme-uploads", "--prefix", "uploads/{name}/"}
}

// judging measures whole processes of the auditor, each beside `agent version`.
func judging(ctx context.Context, b *bench, l load, peers []peer) error {
	q := questions[l.name]
	content, err := q.file()
	if err != nil {
		return err
	}
	data, err := json.Marshal(content)
	if err != nil {
		return err
	}
	file := filepath.Join(b.work, l.name+".json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		return err
	}
	agent := filepath.Join(b.bin, "agent")
	run := func(run Run, program string, args ...string) error {
		if err := b.measure(ctx, command{args: append([]string{program}, args...)}, &run); err != nil {
			return err
		}
		run.Fault = "" // most verdicts are no, and the process ends with another code than 0
		b.add(run)
		return nil
	}
	for round := range b.rounds {
		if err := run(Run{Load: "version-" + l.name, Round: round, Peer: "agent"}, agent, "version"); err != nil {
			return err
		}
		if err := run(Run{Load: l.name, Round: round, Peer: "agent"}, agent, q.args(file)...); err != nil {
			return err
		}
		for _, p := range peers {
			if p.program == "" {
				continue
			}
			if err := run(Run{Load: l.name, Round: round, Peer: p.name}, p.program, q.args(file)...); err != nil {
				return err
			}
		}
	}
	return nil
}

// account is the one of all inputs.
const account = "111122223333"

// policyOf is a policy of some statements.
func policyOf(statements ...object) object {
	return object{"Version": "2012-10-17", "Statement": statements}
}

func typical() (object, error) {
	return policyOf(object{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "arn:aws:s3:::acme-uploads/uploads/vm-01/*"}), nil
}

func notAction() (object, error) {
	return policyOf(object{"Effect": "Allow", "NotAction": []string{"iam:*", "organizations:*"}, "Resource": "*"}), nil
}

// hard is a policy of which everything crosses everything: it ends over the budget, and what it costs is bounded.
func hard() (object, error) {
	random := rand.New(rand.NewPCG(3, 4))
	word := func() string { return string(rune('a'+random.IntN(8))) + string(rune('a'+random.IntN(8))) }
	keys := []string{"aws:username", "s3:prefix", "aws:UserAgent", "aws:Referer", "aws:SourceVpce", "s3:VersionId", "aws:PrincipalTag/a", "aws:RequestTag/b"}
	operators := []string{"StringLike", "StringNotLike"}
	var statements []object
	for i := range 120 {
		var resources []string
		for range 4 {
			resources = append(resources, "arn:aws:s3:::*"+word()+"*"+word()+"*/"+word())
		}
		conditions := map[string]map[string][]string{}
		for range 3 {
			operator, key := operators[random.IntN(2)], keys[random.IntN(len(keys))]
			if conditions[operator] == nil {
				conditions[operator] = map[string][]string{}
			}
			conditions[operator][key] = []string{"*" + word() + "*", "*" + word() + "*" + word()}
		}
		effect := []string{"Allow", "Allow", "Deny"}[i%3]
		statements = append(statements, object{"Effect": effect, "Action": []string{"s3:*", "s3:Get*"}[i%2], "Resource": resources, "Condition": conditions})
	}
	return policyOf(statements...), nil
}

// awsPolicies reads AWS's managed policies, which the agent knows (scripts/tools/awsmanaged), sorted by path.
func awsPolicies() (policies []object, err error) {
	packed, err := os.Open("agent/internal/judge/sources/awsmanaged.txt.gz")
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	text, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		part := strings.Split(lines.Text(), "\t")
		if len(part) != 4 || part[0] != "P" {
			continue
		}
		path, version := part[1], part[2]
		policies = append(policies, object{
			"PolicyName": path[strings.LastIndexByte(path, '/')+1:], "Arn": "arn:aws:iam::aws:policy" + path, "DefaultVersionId": version,
			"PolicyVersionList": []object{{"VersionId": version, "IsDefaultVersion": true, "Document": json.RawMessage(part[3])}},
		})
	}
	return policies, lines.Err()
}

// export is what get-account-authorization-details prints.
func export(users, groups, roles, policies []object) object {
	return object{
		"UserDetailList": append([]object{}, users...), "GroupDetailList": append([]object{}, groups...),
		"RoleDetailList": append([]object{}, roles...), "Policies": append([]object{}, policies...),
	}
}

// user is an entry of an export.
func user(number int, name string, more object) object {
	u := object{
		"UserName": name, "Path": "/buzon/", "UserId": fmt.Sprintf("AIDAEXAMPLE%09d", number),
		"Arn": "arn:aws:iam::" + account + ":user/buzon/" + name, "GroupList": []string{},
	}
	for k, v := range more {
		u[k] = v
	}
	return u
}

// attached names managed policies as an export does.
func attached(policies ...object) []object {
	var list []object
	for _, p := range policies {
		list = append(list, object{"PolicyName": p["PolicyName"], "PolicyArn": p["Arn"]})
	}
	return list
}

// managed is a user for each of AWS's managed policies, which is all that it has.
func managed() (object, error) {
	policies, err := awsPolicies()
	var users []object
	for i, p := range policies {
		users = append(users, user(i, p["PolicyName"].(string), object{"AttachedManagedPolicies": attached(p)}))
	}
	return export(users, nil, nil, policies), err
}

// thousand is an account of uploaders, each with ten statements of its own.
func thousand() (object, error) {
	var users []object
	for i := range 1000 {
		name := fmt.Sprintf("vm-%04d", i)
		users = append(users, user(i, name, object{"UserPolicyList": []object{
			{"PolicyName": "upload", "PolicyDocument": policyOf(tenStatements(name)...)},
		}}))
	}
	return export(users, nil, nil, nil), nil
}

func tenStatements(name string) []object {
	own := "arn:aws:s3:::acme-uploads/uploads/" + name + "/*"
	return []object{
		{"Sid": "Put", "Effect": "Allow", "Action": "s3:PutObject", "Resource": own},
		{"Sid": "Abort", "Effect": "Allow", "Action": "s3:AbortMultipartUpload", "Resource": own},
		{"Sid": "Office", "Effect": "Allow", "Action": "s3:PutObject", "Resource": own, "Condition": object{"IpAddress": object{"aws:SourceIp": "10.0.0.0/8"}}},
		{"Sid": "Late", "Effect": "Allow", "Action": "s3:GetObject", "Resource": own, "Condition": object{"DateLessThan": object{"aws:CurrentTime": "2020-01-01T00:00:00Z"}}},
		{"Sid": "Other", "Effect": "Allow", "Action": []string{"s3:List*", "s3:Get*"}, "Resource": "*", "Condition": object{"StringEquals": object{"aws:username": "nobody"}}},
		{"Sid": "Tls", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": object{"Bool": object{"aws:SecureTransport": "false"}}},
		{"Sid": "Delete", "Effect": "Deny", "Action": []string{"s3:Delete*", "s3:PutLifecycleConfiguration"}, "Resource": "*"},
		{"Sid": "Outside", "Effect": "Deny", "Action": "s3:Put*", "NotResource": own},
		{"Sid": "Iam", "Effect": "Deny", "Action": []string{"iam:*", "sts:*", "kms:*"}, "Resource": "*"},
		{"Sid": "Rest", "Effect": "Deny", "NotAction": "s3:*", "Resource": "*"},
	}
}

// varied is an account such as grows over years: sixty users, some of them in groups, and sixty roles; each with up to
// five of AWS's policies, every third with a policy of its own, every fifth with a boundary.
func varied() (object, error) {
	policies, err := awsPolicies()
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(1, 2))
	used := map[int]bool{}
	some := func(n int) []object {
		var list []object
		for range n {
			i := random.IntN(len(policies))
			used[i] = true
			list = append(list, policies[i])
		}
		return attached(list...)
	}
	var groups, users, roles []object
	for i := range 8 {
		name := fmt.Sprintf("team-%d", i)
		groups = append(groups, object{
			"GroupName": name, "Path": "/", "GroupId": fmt.Sprintf("AGPAEXAMPLE%09d", i), "Arn": "arn:aws:iam::" + account + ":group/" + name,
			"GroupPolicyList": []object{}, "AttachedManagedPolicies": some(1 + i%4),
		})
	}
	more := func(i int, name, inline string) object {
		m := object{"AttachedManagedPolicies": some(1 + i%5)}
		if i%3 == 0 {
			m[inline] = []object{{"PolicyName": "own", "PolicyDocument": policyOf(tenStatements(name)[:3+i%7]...)}}
		}
		if i%5 == 0 {
			m["PermissionsBoundary"] = object{"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": some(1)[0]["PolicyArn"]}
		}
		return m
	}
	for i := range 60 {
		name := fmt.Sprintf("person-%02d", i)
		m := more(i, name, "UserPolicyList")
		if i%2 == 0 {
			m["GroupList"] = []string{fmt.Sprintf("team-%d", i%8)}
		}
		users = append(users, user(i, name, m))

		name = fmt.Sprintf("service-%02d", i)
		role := more(i, name, "RolePolicyList")
		for k, v := range (object{
			"RoleName": name, "Path": "/", "RoleId": fmt.Sprintf("AROAEXAMPLE%09d", i), "Arn": "arn:aws:iam::" + account + ":role/" + name,
			"InstanceProfileList": []object{},
			"AssumeRolePolicyDocument": policyOf(object{
				"Effect": "Allow", "Principal": object{"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole",
			}),
		}) {
			role[k] = v
		}
		roles = append(roles, role)
	}
	var documents []object
	for i, p := range policies {
		if used[i] {
			documents = append(documents, p)
		}
	}
	return export(users, groups, roles, documents), nil
}
