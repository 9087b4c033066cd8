package sources

import (
	"bytes"
	"context"
	"encoding/csv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
)

// reportFrom is from how many users on the credential report is asked for, which
// AWS may have made four hours ago; below it each user is asked about alone.
const reportFrom = 25

// credential is what the credential report says of one user.
type credential struct {
	password     bool
	certificates int
}

// credentials reads what a user can sign in with. What is not known of it adds no
// rights: it leaves the warnings about it unasked, and is no gap.
func (v *live) credentials(ctx context.Context, p *principal, report map[string]credential) {
	name := p.subject.Name
	c := &Credentials{Others: map[string]int{}}
	var lostHere []Gap
	of := func(action string, none ...string) call {
		return call{name: "iam:" + action, what: p.subject.ARN, to: &lostHere, none: none}
	}
	pages(ctx, v, of("ListAccessKeys"), func(ctx context.Context, marker *string) (page[iamtypes.AccessKeyMetadata], error) {
		o, err := v.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &name, Marker: marker})
		if err != nil {
			return page[iamtypes.AccessKeyMetadata]{}, err
		}
		return page[iamtypes.AccessKeyMetadata]{o.AccessKeyMetadata, o.IsTruncated, o.Marker}, nil
	}, func(k iamtypes.AccessKeyMetadata) bool {
		return aws.ToString(k.UserName) == name && aws.ToString(k.AccessKeyId) != ""
	}, func(k iamtypes.AccessKeyMetadata) {
		id := *k.AccessKeyId
		c.Keys = append(c.Keys, Key{
			ID: id[max(0, len(id)-4):], Active: k.Status == iamtypes.StatusTypeActive, Created: aws.ToTime(k.CreateDate),
		})
	})
	if known, ok := report[p.subject.ARN]; ok {
		c.Password, c.Others["certificate"] = known.password, known.certificates
	} else {
		v.signIn(ctx, c, name, of)
	}
	v.otherCredentials(ctx, c, name, of)
	p.keys = c
	if len(lostHere) > 0 {
		p.topics = append(p.topics, Assumption{TopicCredentials, NotRead})
	}
}

// signIn reads what the credential report would have told.
func (v *live) signIn(ctx context.Context, c *Credentials, name string, of func(string, ...string) call) {
	_, a := ask(ctx, v, of("GetLoginProfile", noSuchEntity), func(ctx context.Context) (*iam.GetLoginProfileOutput, error) {
		return v.iam.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: &name})
	}, func(o *iam.GetLoginProfileOutput) Lost {
		switch {
		case o.LoginProfile == nil:
			return LostEmpty
		case aws.ToString(o.LoginProfile.UserName) != name:
			return LostAnother
		}
		return ""
	})
	c.Password = a == got
	pages(ctx, v, of("ListSigningCertificates"), func(ctx context.Context, marker *string) (page[iamtypes.SigningCertificate], error) {
		o, err := v.iam.ListSigningCertificates(ctx, &iam.ListSigningCertificatesInput{UserName: &name, Marker: marker})
		if err != nil {
			return page[iamtypes.SigningCertificate]{}, err
		}
		return page[iamtypes.SigningCertificate]{o.Certificates, o.IsTruncated, o.Marker}, nil
	}, func(s iamtypes.SigningCertificate) bool { return aws.ToString(s.UserName) == name },
		func(iamtypes.SigningCertificate) { c.Others["certificate"]++ })
}

func (v *live) otherCredentials(ctx context.Context, c *Credentials, name string, of func(string, ...string) call) {
	pages(ctx, v, of("ListSSHPublicKeys"), func(ctx context.Context, marker *string) (page[iamtypes.SSHPublicKeyMetadata], error) {
		o, err := v.iam.ListSSHPublicKeys(ctx, &iam.ListSSHPublicKeysInput{UserName: &name, Marker: marker})
		if err != nil {
			return page[iamtypes.SSHPublicKeyMetadata]{}, err
		}
		return page[iamtypes.SSHPublicKeyMetadata]{o.SSHPublicKeys, o.IsTruncated, o.Marker}, nil
	}, func(k iamtypes.SSHPublicKeyMetadata) bool { return aws.ToString(k.UserName) == name },
		func(iamtypes.SSHPublicKeyMetadata) { c.Others["ssh-key"]++ })
	pages(ctx, v, of("ListServiceSpecificCredentials"), func(ctx context.Context, marker *string) (page[iamtypes.ServiceSpecificCredentialMetadata], error) {
		o, err := v.iam.ListServiceSpecificCredentials(ctx, &iam.ListServiceSpecificCredentialsInput{UserName: &name, Marker: marker})
		if err != nil {
			return page[iamtypes.ServiceSpecificCredentialMetadata]{}, err
		}
		return page[iamtypes.ServiceSpecificCredentialMetadata]{o.ServiceSpecificCredentials, o.IsTruncated, o.Marker}, nil
	}, func(k iamtypes.ServiceSpecificCredentialMetadata) bool { return aws.ToString(k.UserName) == name },
		func(iamtypes.ServiceSpecificCredentialMetadata) { c.Others["service-credential"]++ })
}

// credentialReport asks for the account's credential report, and waits a little
// for one that is being made (IAM User Guide, "Generate credential reports for
// your AWS account"). nil where there is none to be had.
func (v *live) credentialReport(ctx context.Context) map[string]credential {
	var lostHere []Gap
	for try := 1; try <= v.bounds.tries; try++ {
		made, a := ask(ctx, v, call{name: "iam:GenerateCredentialReport", what: "credential report", to: &lostHere},
			func(ctx context.Context) (*iam.GenerateCredentialReportOutput, error) {
				return v.iam.GenerateCredentialReport(ctx, &iam.GenerateCredentialReportInput{})
			},
			func(o *iam.GenerateCredentialReportOutput) Lost {
				if o.State == "" {
					return LostEmpty
				}
				return ""
			})
		if a != got {
			return nil
		}
		if made.State == iamtypes.ReportStateTypeComplete {
			break
		}
		if !v.rest(ctx, try+2, 0) {
			return nil
		}
	}
	report, a := ask(ctx, v, call{name: "iam:GetCredentialReport", what: "credential report", to: &lostHere},
		func(ctx context.Context) (*iam.GetCredentialReportOutput, error) {
			return v.iam.GetCredentialReport(ctx, &iam.GetCredentialReportInput{})
		},
		func(o *iam.GetCredentialReportOutput) Lost {
			if readCredentialReport(o.Content) == nil {
				return LostGarbled
			}
			return ""
		})
	if a != got {
		return nil
	}
	return readCredentialReport(report.Content)
}

// readCredentialReport takes a report apart, by the ARN of each user; nil where
// it is none. A user whose line can't be read isn't in it.
func readCredentialReport(text []byte) map[string]credential {
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	for _, name := range []string{"arn", "password_enabled", "cert_1_active", "cert_2_active"} {
		if _, ok := at[name]; !ok {
			return nil
		}
	}
	out := map[string]credential{}
	for _, row := range rows[1:] {
		c, clear := credential{}, true
		is := func(column string) bool {
			switch row[at[column]] {
			case "true":
				return true
			case "false", "N/A":
			default: // "not_supported" of the root user, and what AWS may add
				clear = false
			}
			return false
		}
		c.password = is("password_enabled")
		for _, column := range []string{"cert_1_active", "cert_2_active"} {
			if is(column) {
				c.certificates++
			}
		}
		if clear {
			out[row[at["arn"]]] = c
		}
	}
	return out
}
