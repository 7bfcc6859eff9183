/** The pictures that come with the page, and questions worth asking about them. */

/** @typedef {{zh: string, en: string}} Both */
/** @typedef {{file: string, title: Both, prompts: Record<string, Both[]>}} Sample */

/** @type {Sample[]} */
export const SAMPLES = [
  {
    file: "shapes.png",
    title: { en: "coloured shapes", zh: "彩色图形" },
    prompts: {
      vqa: [
        { en: "How many shapes are there?", zh: "有几个图形？" },
        { en: "Is there a heart?", zh: "图中有心形吗？" },
        { en: "What colour is the star?", zh: "星形是什么颜色？" },
      ],
    },
  },
  {
    file: "chart.png",
    title: { en: "a bar chart", zh: "柱状图" },
    prompts: {
      vqa: [
        { en: "What is the title?", zh: "图表的标题是什么？" },
        { en: "Which bar is the highest?", zh: "哪一项最高？" },
        { en: "What is the value of Apr?", zh: "Apr的数值是多少？" },
      ],
    },
  },
];

/** @type {Record<string, Both[]>} */
export const PROMPTS = {
  vqa: [
    { en: "What is in this picture?", zh: "图里有什么？" },
    { en: "What does the text say?", zh: "图中的文字写了什么？" },
    { en: "How many things are there?", zh: "一共有几个物体？" },
  ],
};
