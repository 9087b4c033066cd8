package mailbox

import (
	"fmt"
	"strings"
)

// named is a prop that names something of AWS's by its ARN.
type named struct {
	prop, arn string
	here      bool // it must be in the bucket's own Region
}

func (p *Props) named() []named {
	all := []named{
		{"kmsKeyArn", p.KMSKeyARN, true}, {"trustAnchor", p.TrustAnchor, true}, {"permissionsBoundary", p.PermissionsBoundary, false},
	}
	if p.Alarms != nil {
		all = append(all, named{"alarms", p.Alarms.Topic, true})
	}
	for _, l := range p.people() {
		for _, arn := range l.list {
			all = append(all, named{l.prop, arn, false})
		}
	}
	return all
}

// listed is a prop that is a list.
type listed struct {
	prop string
	list []string
}

func (p *Props) people() []listed {
	return []listed{{"readers", p.Readers}, {"readerRole", p.ReaderRole}, {"deployers", p.Deployers}, {"auditors", p.Auditors}}
}

// checkARNs holds the ARNs against each other, once each is found right by itself:
// an AWS partition (aws, aws-cn, aws-us-gov) knows nothing of the others, and a
// bucket's key, the alarms' topic and a trust anchor are of one Region with it.
func (p *Props) checkARNs(f *faults) {
	var partition, region named
	for _, n := range p.named() {
		if n.arn == "" {
			continue
		}
		part := strings.SplitN(n.arn, ":", 6)
		if !strings.Contains(part[1], "*") {
			if partition.arn != "" && arnPart(partition.arn, 1) != part[1] {
				f.add(n.prop, "%q is of the partition %s, and %s of %s: nothing reaches from one to the other",
					n.arn, part[1], partition.prop, arnPart(partition.arn, 1))
				return
			}
			partition = n
		}
		if n.here {
			if region.arn != "" && arnPart(region.arn, 3) != part[3] {
				f.add(n.prop, "%q is in the Region %s, and %s in %s: both must be in the bucket's", n.arn, part[3], region.prop, arnPart(region.arn, 3))
				return
			}
			region = n
		}
	}
}

func arnPart(arn string, i int) string { return strings.SplitN(arn, ":", 6)[i] }

// longestTrust is how long a role's trust policy may be (IAM User Guide, "IAM and
// AWS STS quotas": without an increase).
const longestTrust = 2048

// checkTrust holds the roles that the props make for others against that.
func (p *Props) checkTrust(f *faults) {
	for _, role := range []listed{{"auditors", p.Auditors}, {"readerRole", p.ReaderRole}} {
		n := len(`{"Version":"2012-10-17","Statement":[]}`)
		for _, arn := range role.list {
			n += len(fmt.Sprintf(`{"Effect":"Allow","Principal":{"AWS":%q},"Action":"sts:AssumeRole"},`, arn))
		}
		if n > longestTrust {
			f.add(role.prop, "make the trust policy of the role %d characters too long (%d are possible): name a role that they all may assume",
				n-longestTrust, longestTrust)
		}
	}
}

// checkLists finds what is in a list twice: one of both was meant otherwise.
func (p *Props) checkLists(f *faults) {
	for _, l := range append(p.people(), listed{"sourceIps", p.SourceIPs}, listed{"sourceVpces", p.SourceVPCEs}, listed{"storageClasses", p.StorageClasses}) {
		seen := map[string]bool{}
		for _, one := range l.list {
			if seen[one] {
				f.add(l.prop, "%q is there twice", one)
				break
			}
			seen[one] = true
		}
	}
}
