package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"buzon/scripts/words"
)

// The stack's own template, as infra synthesizes it, holds all but the profile's
// id, which CloudFormation knows.
func TestTheProfileOfAMachineWithACertificate(t *testing.T) {
	text, err := os.ReadFile("../../agent/testdata/stack/roles-anywhere.template.json")
	if err != nil {
		t.Fatal(err)
	}
	var made template
	if err := json.Unmarshal(text, &made); err != nil {
		t.Fatal(err)
	}
	profiles := made.profiles()
	if len(profiles) != 2 {
		t.Errorf("the profiles are %v", profiles)
	}
	for id, name := range profiles {
		if !strings.HasPrefix(id, "Uploaders"+strings.ReplaceAll(name, "-", "")+"Profile") {
			t.Errorf("the profile of %s is %q", name, id)
		}
	}
	anchor := made.anchorOf("vm-02")
	if !strings.HasPrefix(anchor, "arn:aws:rolesanywhere:") || !strings.Contains(anchor, ":trust-anchor/") {
		t.Errorf("its role trusts %q", anchor)
	}
	for _, lang := range words.Languages {
		k := &keys{lang: lang}
		got := k.profileText("vm-02", anchored{anchor: anchor, profile: "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/p", role: "arn:aws:iam::111122223333:role/buzon/vm-02"})
		for _, line := range strings.Split(strings.TrimSpace(got), "\n") {
			if !strings.HasPrefix(line, "# ") {
				t.Errorf("language %s: %q is no comment: the configuration would not be read", lang, line)
			}
		}
		want := "# credential_process = aws_signing_helper credential-process --certificate /etc/buzon/vm-02.pem --private-key /etc/buzon/vm-02.key" +
			" --trust-anchor-arn " + anchor + " --profile-arn arn:aws:rolesanywhere:eu-west-1:111122223333:profile/p" +
			" --role-arn arn:aws:iam::111122223333:role/buzon/vm-02\n"
		if !strings.HasSuffix(got, want) {
			t.Errorf("language %s:\n%s\nwant it to end in\n%s", lang, got, want)
		}
	}
	if got := (&keys{}).profileText("vm-01", anchored{}); got != "" {
		t.Errorf("an uploader without a certificate gets %q", got)
	}
}
