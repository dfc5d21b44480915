/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The default templates by name. Memory in MiB (least) and GiB (most), disk in GiB; for the
 * columns see struct template_info.
 */
#include "rules/templates.h"

#define L TEMPLATE_LINUX
#define W TEMPLATE_WINDOWS
#define O TEMPLATE_OTHER

#define UEFI  TEMPLATE_UEFI
#define VTPM  TEMPLATE_VTPM
#define SLATE TEMPLATE_SLATE
#define ARCH  TEMPLATE_64BIT

/* clang-format off */
const struct template_info template_list[] = {
    {"AlmaLinux 10", "1d1fef56-2e79-49cb-97bb-ec5401096b0b",
     "almalinux-10", 2048, 1536, 15, L, UEFI, "cdn"},
    {"AlmaLinux 8", "7aa32be8-a06c-4ade-8a1d-49e51e03e9d2",
     "almalinux-8", 2048, 1536, 10, L, 0, "cdn"},
    {"AlmaLinux 9", "09d6b4cc-dd4b-4619-aacb-01576ccd5b0f",
     "almalinux-9", 2048, 1536, 15, L, 0, "cdn"},
    {"CentOS 7 (deprecated)", "11fd3dc9-96cc-49af-b091-a2ca7e94c589",
     "centos-7", 2048, 1536, 10, L, 0, "cdn"},
    {"CentOS Stream 10", "203103c5-f257-4ef6-ac59-f3e7184c8b1b",
     "centos-10", 2048, 1536, 10, L, UEFI, "cdn"},
    {"CentOS Stream 8", "6de5fcb6-aad9-42b6-8dce-865ae9b933f9",
     "centos-stream-8", 2048, 1536, 15, L, 0, "cdn"},
    {"CentOS Stream 9", "a3d70e4d-c5ac-4dfb-999b-30a0a7efe546",
     "centos-9", 2048, 1536, 10, L, 0, "cdn"},
    {"Debian Bookworm 12", "07d91aaa-43f7-430a-bf84-0edb6714df0f",
     "debian-12", 1024, 1536, 10, L, UEFI, "cdn"},
    {"Debian Bullseye 11", "acfeecf4-4007-412b-8f13-6d61a6aee5bd",
     "debian-11", 512, 1536, 10, L, 0, "cdn"},
    {"Debian Buster 10 (deprecated)", "bac315b4-66fd-4488-82f5-9808e927b4b9",
     "debian-10", 512, 1536, 10, L, 0, "cdn"},
    {"Debian Trixie 13", "0f690a2c-2bf3-4bde-b5b6-3fd236adbc88",
     "debian-13", 1024, 1536, 10, L, UEFI, "cdn"},
    {"Generic Linux BIOS", "dfbd1201-329f-4c87-9f0c-78a6f5270ba0",
     "generic-linux-bios", 1024, 1536, 10, L, 0, "cdn"},
    {"Generic Linux UEFI", "b73b736f-8dee-4bbe-9380-30d1e1854958",
     "generic-linux-uefi", 1024, 1536, 10, L, UEFI, "cdn"},
    {"Gooroom Platform 2.0", "9340090e-90ca-11ea-ab10-2e858157d830",
     "gooroom-2", 1024, 1536, 10, L, 0, "cdn"},
    {"Oracle Linux 10", "64310f80-396d-4096-bfae-3d2bdbb6e8b2",
     "oel-10", 2048, 1536, 15, L, UEFI, "cdn"},
    {"Oracle Linux 7 (deprecated)", "f873abe0-b138-4995-8f6f-498b423d234d",
     "oel-7", 2048, 1536, 10, L, 0, "cdn"},
    {"Oracle Linux 8", "6959dfe8-534c-4c58-8a8c-3c3792293543",
     "oel-8", 2048, 1536, 10, L, UEFI, "cdn"},
    {"Oracle Linux 9", "609d03e9-d7aa-448b-b9bf-9a3f7c613506",
     "oel-9", 2048, 1536, 15, L, 0, "cdn"},
    {"Other install media", "552bce37-51b2-445d-84f2-5f33fa112d7e",
     "other-install-media", 128, 128, 0, O, 0, "cd"},
    {"Red Hat Enterprise Linux 10", "7375046a-c05e-435b-9f04-5314a64e6a5e",
     "rhel-10", 2048, 1536, 10, L, UEFI, "cdn"},
    {"Red Hat Enterprise Linux 7 (deprecated)", "03d30863-86a2-428e-94c8-88ddfcb8cd29",
     "rhel-7", 2048, 1536, 10, L, 0, "cdn"},
    {"Red Hat Enterprise Linux 8", "612863ed-900d-456d-b4b7-38b70915fd1f",
     "rhel-8", 2048, 1536, 10, L, UEFI, "cdn"},
    {"Red Hat Enterprise Linux 9", "6c91b878-5095-421e-a914-224b3bb1088c",
     "rhel-9", 2048, 1536, 10, L, UEFI, "cdn"},
    {"Rocky Linux 10", "651760be-61eb-42d2-b49b-6df2521266c5",
     "rocky-10", 2048, 1536, 15, L, UEFI, "cdn"},
    {"Rocky Linux 8", "6ce77bf9-ab30-4a1a-a757-011b52d89997",
     "rocky-8", 2048, 1536, 10, L, UEFI, "cdn"},
    {"Rocky Linux 9", "1a647cf9-99c1-4e9c-b3b4-6b9989c530be",
     "rocky-9", 2048, 1536, 15, L, UEFI, "cdn"},
    {"SUSE Linux Enterprise 15 (64-bit)", "b5915805-d800-459d-826a-322dc9cf07e2",
     "sle-15-64bit", 1024, 1536, 8, L, UEFI | ARCH, "cdn"},
    {"SUSE Linux Enterprise Server 12 SP5 (64-bit)", "110ecfa7-0fe4-4b35-a247-0b0141a738ba",
     "sles-12-sp5-64bit", 1024, 1536, 8, L, ARCH, "cdn"},
    {"Scientific Linux 7 (deprecated)", "4b116889-af64-42af-ba86-75dcb3cb7828",
     "sl-7", 2048, 1536, 10, L, 0, "cdn"},
    {"Ubuntu Focal Fossa 20.04 (deprecated)", "2cf37285-57bc-4633-a24f-0c6c825dda66",
     "ubuntu-20.04", 512, 1536, 10, L, UEFI, "cdn"},
    {"Ubuntu Jammy Jellyfish 22.04", "df1a0e64-3799-482b-aa9f-1ed713c7dac5",
     "ubuntu-22.04", 1024, 1536, 10, L, UEFI, "cdn"},
    {"Ubuntu Noble Numbat 24.04", "ff1f3e17-84d9-4d72-962d-571c4ceb527b",
     "ubuntu-24.04", 1024, 1536, 10, L, UEFI, "cdn"},
    {"Windows 10 (64-bit)", "7774689b-4ca1-4dea-8545-dddd6b64c17f",
     "windows-10-64bit", 2048, 1536, 32, W, UEFI | SLATE, "cd"},
    {"Windows 11", "1f8728f9-6354-4a68-adc3-222c34f2bb94",
     "windows-11", 4096, 1536, 64, W, UEFI | VTPM | SLATE, "cd"},
    {"Windows Server 2016 (64-bit)", "c15fab79-6cce-4e1f-916f-a64b98ff9e7d",
     "windows-server-2016-64bit", 1024, 1536, 32, W, UEFI, "cd"},
    {"Windows Server 2019 (64-bit)", "d986ea98-09fa-4e9a-9ee6-e6c78119496f",
     "windows-server-2019-64bit", 1024, 1536, 32, W, UEFI, "cd"},
    {"Windows Server 2022 (64-bit)", "1c33af1c-e919-418c-ad45-85d7d6fb604a",
     "windows-server-2022-64bit", 1024, 1536, 32, W, UEFI, "cd"},
    {"Windows Server 2025", "905ab443-e415-4d52-bfef-e14b147eac4e",
     "windows-server-2025", 2048, 1536, 64, W, UEFI, "cd"},
};
/* clang-format on */

const size_t template_list_n = ARRAY_SIZE(template_list);
