package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"buzon/infra/mailbox"
)

// mostNamed is how many uploaders the warning names; a fleet can lose hundreds.
const mostNamed = 10

// leaving gives the users that the last synthesis into dir had and these
// settings no longer have. CloudFormation can't delete a user that has an access
// key, and keys are not in the stack, so somebody has to revoke them first.
//
// What is deployed it doesn't know, for synthesis reads no account: it goes by
// the templates of the last time, and where there are none it finds nobody.
func (s *Settings) leaving(dir string) ([]string, error) {
	// The manifest names the templates of the last time; older ones may lie about.
	var manifest struct {
		Artifacts map[string]struct {
			Properties struct{ TemplateFile string }
		}
	}
	if err := readJSON(filepath.Join(dir, "manifest.json"), &manifest); err != nil {
		return nil, err
	}
	var gone []string
	for _, artifact := range manifest.Artifacts {
		if artifact.Properties.TemplateFile == "" {
			continue
		}
		var template struct {
			Resources map[string]struct {
				Type       string
				Properties struct{ UserName, Path any }
			}
		}
		if err := readJSON(filepath.Join(dir, filepath.Base(artifact.Properties.TemplateFile)), &template); err != nil {
			return nil, err
		}
		for _, r := range template.Resources {
			name, _ := r.Properties.UserName.(string)
			if r.Type == "AWS::IAM::User" && r.Properties.Path == s.Path && (s.Identity != mailbox.IdentityUser || !slices.Contains(s.Uploaders, name)) {
				gone = append(gone, name)
			}
		}
	}
	slices.Sort(gone)
	return slices.Compact(gone), nil
}

// readJSON reads a file of the last synthesis. One that isn't there, or that was
// cut short, is as if it were empty: it is about to be written again.
func readJSON(file string, into any) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read what was synthesized last: %w", err)
	}
	_ = json.Unmarshal(text, into) // what was read until a fault is as good as nothing
	return nil
}

// warnings are what a synthesis says beside its result. They are printed, and not
// the CDK's annotations, which come with the place in a program of jsii's.
func (s *Settings) warnings(gone []string) []string {
	var all []string
	if len(gone) > 0 {
		named := strings.Join(gone[:min(len(gone), mostNamed)], ", ")
		if more := len(gone) - mostNamed; more > 0 {
			named += fmt.Sprintf(" and %d more", more)
		}
		all = append(all, fmt.Sprintf("no longer among the uploaders: %s. CloudFormation can't delete a user that has an access key. "+
			"Before you deploy, for each:  scripts/revoke-key NAME", named))
	}
	if !*s.AppendOnly && !*s.Versioning {
		all = append(all, "appendOnly and versioning are both false: an uploader can replace its own objects, and what was there is gone for good.")
	}
	if s.KMSKeyARN != "" {
		all = append(all, fmt.Sprintf("kmsKeyArn: the policy of %s must let this account's IAM policies decide on kms:GenerateDataKey and kms:Decrypt, "+
			`as the default statement for "arn:aws:iam::ACCOUNT:root" does. Once deployed:  agent audit-policy --user NAME`, s.KMSKeyARN))
	}
	if len(s.Uploaders) == 0 {
		all = append(all, "uploaders is empty: nobody may write. Bucket and guard are judged with an uploader that is not deployed.")
	}
	return all
}
