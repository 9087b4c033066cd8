package decide

// disagreements are the pairs of the corpus in which this package and
// iam-simulate differ, by reason. docs/decisions/second-opinion.md explains each
// reason, and why the answer here stands.
var disagreements = map[string]string{
	"above-session": `
		05f4f862 1676d6a9 179f01b2 192cd4d2 1cab07b4 3907393a 3d04220b 4032c784 4aa0c0b9 57e99707 6409e2ee 644d4df3 7f9a96f1
		afb2caad c66c4bd5 c7cc19e0 ca7880a0 d27394e0 d4291f44 dea1a78c f0d14f3e f1a41de7 f8427484 fb329a64 fb88e607`,
	"any-session":   `3c8b81d1 467969e5 af92b1fe e83acf0e`,
	"arn-segments":  `086eb1dd 0a486978 0b7a63f5 49e2b263 4de1f81d 8cff2796 919310a0 94dd0d39 a1f63b43 a21d3176 c3c2ce00 e9e14150`,
	"arn-variable":  `37d36f7f 9752439c bcf11f1c e83f9218`,
	"bytes":         `c77fea77`,
	"colon":         `10b9a761 1c9f6d53 4857b533 5cadb62f 7a1cd9b7 8948cc71 8cfb538c a1537ceb b636e56d ea6e0232 fa1151f3 fa65e775`,
	"empty-default": `259ef980 3537510d 43cc02fe 6aae922c 847b37c4 95677b4d ab549397 c1a5cb77 d4dd2da1 db9c19e2 e61de78e e6a8209b`,
	"federated":     `2459471c 325dfce9 3e19d9dd 6aa6f022 8acf5a2c 94112086 bbfb20ff f0097fa3`,
	"for-any-if-exists": `
		05ba0f40 0d3cd94d 0f94521a 13de7a50 1e743d89 22aac817 2dda312b 31307430 3e9dfee8 3f254113 42456efc 48a60c0e 50e24e14
		52b338dd 55fbad0a 5a4d8bb9 6895b9c2 6bc7c087 6ca4bd0a 6f153e01 758cd92b 7a82cbca 84247707 88baace5 919c9c6e 972212fc
		a4e0bb9a bdb519c3 bebf32f6 c1abfe56 d3862e5f ea87c3a9`,
	"list-of-one": `
		040e710e 0b75605b 0b9e4999 0e420849 1382e853 191bf300 1d162c00 2686626f 29cea0ac 2b44a777 38fb1441 3fbe4a73 4272f8b8
		4a48317b 51aca9a8 54f22e94 58540df6 66c80bc0 6ad4ed93 6c34c5e9 706e8966 7f40da6b 829e2c8a 88e9e8b9 8f6396ee 920446cf
		98546cbf a6c2e882 b3270acb b54fff2d b8775e2a ca3b5d76 cba6ae92 cc754523 d126b7ab d607d4fd daa3d4cb e1757450 ebd13ecb
		f7205ce4`,
	"literals": `
		0150acbe 0dcbdba9 198f7ef5 23653e9a 40368244 4abe4dbc 4ac1ec6f 7a254cb5 7f4649f8 8a45bd45 8c5be613 95974cf5 969e210c
		9c8b3f1e a82bf1a7 b14aa3ce beb706fa c3c53a22 ca1f0bab ceacf8f3 df5c578b f3ed3a43`,
	"no-key-policy": `01e056d2 3bd56ab8 6b020015 72389262 7de4f0fd 9bd3771a cd1fcdcf cda9a715 dd81901f df38267c f25dc78a f375f371 f9ceee49`,
	"no-value": `
		000bb4e3 029e64b7 03ad32f4 07257c91 0c39625a 0d205821 17726639 22dd165a 254ba464 2860945a 3365de42 351421d4 38e04165
		3e9c093c 44a305c3 4a78afcf 4bcf695a 4f0a22d0 5521234b 6c5ab4f2 77690649 7974c502 7b446080 83cfb2d5 921312c3 9810d14f
		9bd82694 9c8968b6 a04a1fc1 a16176de a8a1d722 a8f5d503 ab127650 ad180480 aec1a602 b45774ce b577f64a b7ec4438 be797bfc
		dab96eb8 dcfe8ea3 dd6a0749 de4ef968 ef879647 efb8060c f56079be`,
	"not-principal": `
		0a0ee66a 1cc1541c 215a891b 2163a0ff 21f72217 2513cbec 267d5aa2 2c147bb2 3387f3a8 3898fd91 41e7e9be 4cd2fd2f 5d484edd
		66feee90 84625029 88cdd802 8c217cf2 95f5f617 a5687307 aae3499c b02900cc b5614ba3 c05b752c c36abab3 c65bccdf c751a457
		cb8eee89 d1726032 d2eeea13 d5dd2430 e0fe55d7 f705f7af fd5b3d68`,
	"not-resource":       `e90f63c8`,
	"rcp-elsewhere":      `7904161c 82c6bb74 97aec8ad`,
	"short-arn":          `0edaa2fa 15838b1f 3500c398 35623d09 3cd0d9cf ce709f72 e3134130 e59a4c35 fe6f0315`,
	"short-not-resource": `509ca196`,
	"single-address":     `94c7e7fd c4c030e0`,
	"slash-zero":         `625152f4 8d64e9a2`,
	"unique-id":          `045d6928 1e4fa157 300be8c3 35ea44a8 417f4cc1 6934016e 79447381 809bb8b0 b3c7f944 cc8d659a e032ad24 efb291e0`,
	"version": `
		02d7696c 1d87dbd4 1f3e070d 3bec1ffa 3c5a3f50 3df03ef9 48d3de99 62e166aa 6753cbaa 69c2fcfe 83cb8f0c a2637bb7 aeccecd1
		c4e44e67 c7d7221c e3792b8c eb4b4d11 f14fa33c f72dfac4 f8016cf4 f8e0f00f`,
}
