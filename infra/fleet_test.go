package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"buzon/infra/mailbox"

	"github.com/google/go-cmp/cmp"
)

// What CloudFormation takes ("CloudFormation quotas").
const (
	mostOutputs  = 200
	templateSize = 1 << 20
)

// A thousand uploaders and more, in the program's own process: stacks that
// CloudFormation takes, within five minutes and 4 GiB.
func TestAFleetOf1200(t *testing.T) {
	if os.Getenv("BUZON_TEST") != "long" {
		t.Skip("SKIPPED without -long: 1,200 uploaders take minutes")
	}
	const within, memory = 5 * time.Minute, 4 << 30
	names := fleet(1200)
	context := ourContext(t)
	context["uploaders"], context["shards"], context["bucketName"] = names, 6, "acme-uploads"
	text, err := json.Marshal(context)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), asInfra+"=1", "CDK_OUTDIR="+dir, "CDK_CONTEXT_JSON="+string(text))
	began := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	took := time.Since(began)
	// Of the program and of the Node that it waited for, the larger (getrusage(2)).
	most := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss << 10
	t.Logf("%d uploaders: %v, %d MiB", len(names), took.Round(time.Second), most>>20)
	if took > within || most > memory {
		t.Errorf("that is more than %v or %d MiB", within, memory>>20)
	}

	files, err := filepath.Glob(filepath.Join(dir, "*.template.json"))
	if err != nil || len(files) != 7 {
		t.Fatalf("there are the templates %v (%v), want 7", files, err)
	}
	seen := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var template object
		if err := json.Unmarshal(text, &template); err != nil {
			t.Fatal(err)
		}
		if n := len(template["Resources"].(object)); n > stackResources || len(text) > templateSize || len(template["Outputs"].(object)) > mostOutputs {
			t.Errorf("%s has %d resources, %d bytes, %d outputs", file, n, len(text), len(template["Outputs"].(object)))
		}
		for _, r := range resources(template, "AWS::IAM::User") {
			name := r["Properties"].(object)["UserName"].(string)
			if seen[name] != "" {
				t.Errorf("%s is in %s and in %s", name, seen[name], file)
			}
			seen[name] = file
		}
	}
	if len(seen) != len(names) {
		t.Errorf("%d of %d uploaders were made", len(seen), len(names))
	}
}

// One stack as full as it may be is one that CloudFormation takes, whatever the
// uploaders are.
func TestAFullStackIsValid(t *testing.T) {
	if os.Getenv("BUZON_TEST") != "long" {
		t.Skip("SKIPPED without -long: a full stack takes a minute")
	}
	for _, kind := range []mailbox.Identity{mailbox.IdentityUser, mailbox.IdentityRole, mailbox.IdentityRolesAnywhere} {
		context := object{"identity": string(kind), "cloudTrail": true, "eventBridge": true, "encryption": "kms", "auditors": review}
		if kind == mailbox.IdentityRolesAnywhere {
			context["trustAnchor"] = anchor
		}
		s := Settings{Props: mailbox.Props{Identity: kind}}
		var names []any
		for _, name := range fleet(s.PerStack()) {
			names = append(names, name.(string)+strings.Repeat("x", 64-len(name.(string))))
		}
		context["uploaders"] = names
		variants["full"] = context
		delete(made, "full")
		full := synth(t, "full")
		text, err := json.MarshalIndent(full.documents[0], "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if n := len(full.documents[0]["Resources"].(object)); n > stackResources || len(text) > templateSize {
			t.Errorf("%s: %d resources, %d bytes", kind, n, len(text))
		}
	}
	delete(variants, "full")
}

func TestWhoLeavesIsNamed(t *testing.T) {
	dir := t.TempDir()
	template := `{"Resources":{
		"A":{"Type":"AWS::IAM::User","Properties":{"UserName":"vm-01","Path":"/buzon/"}},
		"B":{"Type":"AWS::IAM::User","Properties":{"UserName":"vm-02","Path":"/buzon/"}},
		"C":{"Type":"AWS::IAM::User","Properties":{"UserName":"clerk","Path":"/staff/"}},
		"D":{"Type":"AWS::IAM::Role","Properties":{"RoleName":"vm-03","Path":"/buzon/"}},
		"E":{"Type":"AWS::S3::Bucket","Properties":{"BucketName":{"Ref":"X"}}}}}`
	for name, text := range map[string]string{
		"Buzon.template.json": template, "Buzon-1.template.json": strings.ReplaceAll(template, "vm-0", "db-0"),
		"Buzon-2.template.json": "{", "Buzon-9.template.json": strings.ReplaceAll(template, "vm-0", "of-old-0"),
		"manifest.json": `{"artifacts":{"Buzon":{"properties":{"templateFile":"Buzon.template.json"}},"Buzon.assets":{"properties":{"file":"x"}},
			"Buzon-1":{"properties":{"templateFile":"Buzon-1.template.json"}},"Buzon-2":{"properties":{"templateFile":"Buzon-2.template.json"}},
			"Buzon-3":{"properties":{"templateFile":"Buzon-3.template.json"}}}}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		identity mailbox.Identity
		now      []string
		want     []string
	}{
		{mailbox.IdentityUser, []string{"vm-01", "vm-02", "db-01", "db-02"}, nil},
		{mailbox.IdentityUser, []string{"vm-02", "new", "db-01"}, []string{"db-02", "vm-01"}},
		{mailbox.IdentityRole, []string{"vm-01", "vm-02"}, []string{"db-01", "db-02", "vm-01", "vm-02"}}, // the users go, the roles come
	} {
		s := Settings{Uploaders: test.now, Props: mailbox.Props{Path: "/buzon/", Identity: test.identity}}
		got, err := s.leaving(dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%v: %s", test.now, diff)
		}
	}
	if gone, err := (&Settings{StackName: "Buzon"}).leaving(filepath.Join(dir, "none")); err != nil || gone != nil {
		t.Errorf("in no folder: %v, %v", gone, err)
	}
}

// The synthesis itself says it; with many it stays short.
func TestSynthesisWarns(t *testing.T) {
	yes, no := true, false
	quiet := Settings{Uploaders: []string{"vm-01"}, Props: mailbox.Props{AppendOnly: &yes, Versioning: &no}}
	if said := quiet.warnings(nil); len(said) != 0 {
		t.Errorf("nobody leaves and nothing is replaced, and it warns: %q", said)
	}
	said := quiet.warnings(strings.Fields("a b c d e f g h i j k l"))
	if len(said) != 1 || !strings.Contains(said[0], "a, b, c, d, e, f, g, h, i, j and 2 more") || !strings.Contains(said[0], "scripts/revoke-key") {
		t.Errorf("it says %q", said)
	}
	bare := Settings{Props: mailbox.Props{AppendOnly: &no, Versioning: &no}}
	if said := bare.warnings(nil); len(said) != 2 || !strings.Contains(said[0], "gone for good") || !strings.Contains(said[1], "nobody may write") {
		t.Errorf("it says %q", said)
	}
}
